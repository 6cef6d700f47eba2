#!/usr/bin/env bash
# import-linter 2.17: a contract that pkg.high stands above pkg.low, and a module in low that imports
# from high; low has no __init__.py, which Python takes for a package all the same. Expected: broken.
# Seen: kept, because it does not look into the folder, and says nothing beyond a count of files; with
# an empty __init__.py it is broken. Have a test ask for that file in each folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'import-linter==2.17'
mkdir -p pkg/high pkg/low
touch pkg/__init__.py pkg/high/__init__.py
echo 'value = 1' > pkg/high/module.py
echo 'from pkg.high.module import value' > pkg/low/module.py
cat > .importlinter <<'INI'
[importlinter]
root_package = pkg

[importlinter:contract:layers]
name = high above low
type = layers
layers =
    pkg.high
    (pkg.low)
INI
export PYTHONPATH=.
env/bin/python -c 'import pkg.low.module'
env/bin/lint-imports --no-cache > blind.txt
touch pkg/low/__init__.py
if env/bin/lint-imports --no-cache > seen.txt; then exit 1; fi
grep --quiet '1 kept, 0 broken' blind.txt
grep --quiet '0 kept, 1 broken' seen.txt
echo "as found: import-linter keeps a contract that is broken in a folder without __init__.py"
