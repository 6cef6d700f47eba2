#!/usr/bin/env bash
# scikit-learn 1.9.1: extract_patches_2d with max_patches, on an image of 36 patches. Expected:
# max_patches=36 gives each patch once. Seen: it draws with replacement, so a third of the patches is
# missing and others come two or three times; and more than 36 are cut to 36, as if it drew without.
# Extract all and draw yourself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'scikit-learn==1.9.1' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from sklearn.feature_extraction.image import extract_patches_2d

image = np.arange(64.0).reshape(8, 8)
places = lambda **how: len(np.unique(extract_patches_2d(image, (3, 3), **how)[:, 0, 0]))
assert places() == 36
drawn = [places(max_patches=36, random_state=seed) for seed in range(20)]
assert max(drawn) < 32 and 20 < np.mean(drawn) < 26
assert len(extract_patches_2d(image, (3, 3), max_patches=1000, random_state=0)) == 36
print("as found: 36 patches drawn from 36 are", drawn[0], "different ones")
CODE
