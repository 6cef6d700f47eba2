#!/usr/bin/env bash
# faiss-cpu 1.15.1: PCAMatrix with eigen_power=-0.5, its whitening, on 200,000 points of four features.
# Expected: unit variance. Seen: a deviation of 0.016, which is 1 / sqrt(4000): it divides by the
# scatter, not by the covariance, and takes 1000 points a feature without a word, so the scale depends
# on how much data came in, up to a limit. Multiply by the root of the number used before filters are
# compared.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'faiss-cpu==1.15.1' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import faiss
import numpy as np

rng = np.random.default_rng(0)
points = (rng.normal(size=(200_000, 4)) * [4, 3, 2, 1]).astype(np.float32)
for number, used in ((200_000, 4000), (1000, 1000)):
    whiten = faiss.PCAMatrix(4, 4, -0.5)
    whiten.train(points[:number])
    spread = whiten.apply(points).std(axis=0)
    assert np.allclose(spread * used**0.5, 1, atol=0.15), spread
print("as found: faiss whitens 200,000 points to a deviation of 0.016, 1000 points to 0.032")
CODE
