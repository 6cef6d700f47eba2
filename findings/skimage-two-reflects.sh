#!/usr/bin/env bash
# scikit-image 0.26.0: mode="reflect" at the border of an image. Expected: one meaning in one library.
# Seen: in filters the edge value comes twice (scipy's word, numpy's "symmetric"); in transform.warp it
# comes once (numpy's word, scipy's "mirror"). Patches at a border differ by the function that padded
# them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'scikit-image==0.26.0' 'numpy==2.4.6' 'scipy==1.17.1'
env/bin/python - <<'CODE'
import numpy as np
from skimage.filters import correlate_sparse
from skimage.transform import AffineTransform, warp

row = np.array([[1.0, 2, 3, 4, 5]])
two_left = np.array([[1.0, 0, 0, 0, 0]])
filtered = correlate_sparse(row, two_left, mode="reflect")[0]
moved = warp(row, AffineTransform(translation=(-2, 0)), mode="reflect", order=0)[0]
assert filtered.tolist() == [2, 1, 1, 2, 3]
assert moved.tolist() == [3, 2, 1, 2, 3]
print("as found: left of 1 2 3, scikit-image's reflect is 2 1 in a filter and 3 2 in warp")
CODE
