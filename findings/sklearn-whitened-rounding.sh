#!/usr/bin/env bash
# scikit-learn 1.9.1: PCA(whiten=True) on patches whose own mean was taken off, so that one direction
# has no variance at all. Expected: that component is 0, or an error or a warning. Seen: its rounding
# (about 1e-16) is divided by its deviation (about 1e-16), and a ninth component of pure noise stands
# beside eight real ones at their scale, with explained_variance_ 0 and no warning. Ask for fewer
# components.
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
patches = np.random.default_rng(0).normal(size=(5000, 9))
patches -= patches.mean(axis=1, keepdims=True)
for solver in ("auto", "full"):
    pca = PCA(whiten=True, svd_solver=solver).fit(patches)
    spread = pca.transform(patches).std(axis=0)
    assert pca.explained_variance_[-1] < 1e-25
    assert np.allclose(spread[:-1], 1, atol=0.01) and spread[-1] > 0.05, spread
print("as found: scikit-learn whitens a direction of no variance to noise of about unit size")
CODE
