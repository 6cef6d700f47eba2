#!/usr/bin/env bash
# numpy 2.4.6: the mean of 20 million rows of ones in float32. Expected: 1, since numpy is known to add
# in pairs. Seen: 0.84 over the rows, because it adds in pairs only along the axis that lies together in
# memory, and a plain float32 sum stops at 16,777,216; the same array transposed, or taken whole, gives
# 1. The mean of many patches, one a row, is then wrong without a word: mean(axis=0, dtype=np.float64).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np

patches = np.ones((20_000_000, 2), dtype=np.float32)
assert np.allclose(patches.mean(axis=0), 2**24 / 20_000_000)
assert patches.mean() == 1
assert (np.ascontiguousarray(patches.T).mean(axis=1) == 1).all()
assert (patches.mean(axis=0, dtype=np.float64) == 1).all()
print("as found: numpy's mean of 20 million rows of ones is", patches.mean(axis=0))
CODE
