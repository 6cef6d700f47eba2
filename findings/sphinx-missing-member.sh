#!/usr/bin/env bash
# Sphinx 7.4.7 (the last for Python 3.9): a page asks autodoc for a member that its module has not, a
# function that moved, say. Expected: a warning that names module and member. Seen: the warning's
# text has two places and is given one value, so a logging error with a traceback stands in its
# place, the member's name is nowhere, and without -W the build ends with 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'sphinx==7.4.7' 'docutils==0.21.2'
mkdir docs
printf 'def here():\n    """Is there."""\n' > module_of_one.py
printf 'import sys\nsys.path.insert(0, "..")\nextensions = ["sphinx.ext.autodoc"]\n' > docs/conf.py
cat > docs/index.rst <<'PAGE'
Page
====

.. automodule:: module_of_one
   :members: here, moved_away
PAGE
status=0
env/bin/python -m sphinx -q -b html docs site > output.txt 2>&1 || status=$?
grep --quiet 'Logging error' output.txt
grep --quiet 'TypeError: not enough arguments for format string' output.txt
if grep --quiet 'moved_away' output.txt; then exit 1; fi
test "$status" = 0
echo "as found: sphinx 7.4.7 logs a TypeError, names no member, and ends with $status"
