#!/usr/bin/env bash
# sphinx-sitemap 2.9.0 with html_baseurl = "https://example.org/book". Expected: addresses of the pages.
# Seen: https://example.org/booken/index.html: no slash is put between, and the language, en, stands in
# the address though the pages do not lie there; with -W the build ends with 0. A slash at the end and
# sitemap_url_scheme = "{link}".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'sphinx-sitemap==2.9.0' 'sphinx==7.4.7'
mkdir docs
printf 'Page\n====\n' > docs/index.rst
printf 'extensions = ["sphinx_sitemap"]\nhtml_baseurl = "https://example.org/book"\n' > docs/conf.py
env/bin/python -m sphinx -q -W -b html docs site
grep --quiet '<loc>https://example.org/booken/index.html</loc>' site/sitemap.xml
test -f site/index.html
printf 'html_baseurl += "/"\nsitemap_url_scheme = "{link}"\n' >> docs/conf.py
env/bin/python -m sphinx -q -W -b html docs right
grep --quiet '<loc>https://example.org/book/index.html</loc>' right/sitemap.xml
echo "as found: sphinx-sitemap lists https://example.org/booken/index.html"
