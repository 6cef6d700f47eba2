#!/usr/bin/env bash
# syrupy 7.0.2: a dict with an array of 5000 numbers against its snapshot. Expected: a changed number
# fails. Seen: it passes, since the array is kept by its repr, which numpy shortens to its first and
# last three; small arrays are kept whole, so the test works when it is written on a small one. Give
# .tolist().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'syrupy==7.0.2' 'pytest==9.0.2' 'numpy==2.4.6'
cat > test_bank.py <<'CODE'
import os

import numpy as np


def test_bank(snapshot):
    bank = np.arange(5000.0)
    bank[int(os.environ["PLACE"])] = -1
    assert {"bank": bank} == snapshot
CODE
PLACE=2500 env/bin/python -m pytest -q --snapshot-update > first.txt
PLACE=3000 env/bin/python -m pytest -q > middle.txt
if PLACE=1 env/bin/python -m pytest -q > edge.txt; then exit 1; fi
grep --quiet '1 snapshot passed' middle.txt
grep --quiet '1 snapshot failed' edge.txt
echo "as found: syrupy passes an array changed at place 3000 of 5000, and fails one changed at place 1"
