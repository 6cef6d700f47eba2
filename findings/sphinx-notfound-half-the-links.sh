#!/usr/bin/env bash
# sphinx-notfound-page 1.1.0 with notfound_urls_prefix = "/book" for a site in a folder. Expected: every
# link of the 404 page begins with /book/, or none. Seen: styles do, pages do not (/bookother.html), so
# the page looks right and its links are dead; Python warns once, and -W ends with 0 all the same. A
# slash at both ends.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'sphinx-notfound-page==1.1.0' 'sphinx==7.4.7'
mkdir docs
printf 'Page\n====\n\n.. toctree::\n\n   other\n' > docs/index.rst
printf 'Other\n=====\n' > docs/other.rst
printf 'extensions = ["notfound.extension"]\nnotfound_urls_prefix = "/book"\n' > docs/conf.py
env/bin/python -m sphinx -q -W -b html docs site > output.txt 2>&1
grep --quiet '"/book/_static/' site/404.html
grep --quiet '"/bookother.html"' site/404.html
echo "as found: the 404 page's styles lie under /book/, its link to a page is /bookother.html"
