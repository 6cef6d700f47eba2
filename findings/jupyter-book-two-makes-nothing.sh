#!/usr/bin/env bash
# jupyter-book 2.1.7, which pip gives today, on a book of version 1 (_config.yml, _toc.yml). Expected:
# pages, or an error. Seen: "jupyter-book build ." makes no page, speaks of missing exports and ends
# with 0, so a workflow stays green with an empty site. Pin jupyter-book<2.
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
test -z "$(find . -name '*.html' -not -path './env/*')"
echo "as found: jupyter-book 2.1.7 makes no page of a version 1 book and ends with $status"
