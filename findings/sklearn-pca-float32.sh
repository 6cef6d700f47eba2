#!/usr/bin/env bash
# scikit-learn 1.9.1: PCA with its own choice of solver on 20,000 float32 points around a mean of 30,000
# (a camera of 16 bits, say) with deviations of 1 to 3. Expected: the components of float64, to
# rounding. Seen: for many points of few features it takes the covariance as a difference of two large
# matrices, and in float32 nothing is left of it: the largest variance is more than three times too
# large, the smallest 0, the first component another one; no warning. Take the mean off first, or
# float64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'scikit-learn==1.9.1' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import warnings

import numpy as np
from sklearn.decomposition import PCA

warnings.simplefilter("error")
rng = np.random.default_rng(0)
points = rng.normal(size=(20_000, 9)) * np.linspace(3, 1, 9) + 30_000
exact = PCA().fit(points)
rounded = PCA().fit(points.astype(np.float32))
centred = PCA().fit((points - points.mean(axis=0)).astype(np.float32))
alike = lambda pca: abs(pca.components_[0] @ exact.components_[0])
assert alike(centred) > 0.999
assert np.allclose(centred.explained_variance_, exact.explained_variance_, rtol=1e-3)
assert rounded.explained_variance_[0] > 3 * exact.explained_variance_[0]
assert rounded.explained_variance_[-1] == 0 and alike(rounded) < 0.9
print("as found: in float32 the largest of variances from 1 to 9 is over 27, the smallest 0")
CODE
