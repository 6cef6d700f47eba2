#!/usr/bin/env bash
# jupyter-book 2.1.7, where pip install jupyter-book leads, on a book of version 1 (_config.yml, _toc.yml);
# it needs Node.js. Expected: pages, or an error that names the version. Seen: "jupyter-book build ."
# makes no page, says "No file exports found" and ends with 0, so a workflow stays green with an
# empty site. Pin jupyter-book<2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'jupyter-book==2.1.7'
printf 'title: A book\n' > _config.yml
printf 'format: jb-book\nroot: intro\n' > _toc.yml
printf '# A book\n' > intro.md
status=0
env/bin/jupyter-book build . < /dev/null > output.txt 2>&1 || status=$?
test "$status" = 0
grep --quiet 'No file exports found' output.txt
test -z "$(find . -name '*.html' -not -path './env/*')"
echo "as found: jupyter-book 2.1.7 makes no page of a version 1 book and ends with $status"
