#!/usr/bin/env bash
# scikit-learn 1.9.1: KMeans on two clusters of 20 million float32 points, in [0, 1] and in [10, 11].
# Expected: centres 0.5 and 10.5; a mean lies among its points. Seen with one thread: -0.84 and 11.84,
# outside of all data, since points are counted and summed in float32, where a count stops at
# 16,777,216; no warning. With more threads the same comes later. Many patches: draw fewer, or float64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'scikit-learn==1.9.1' 'numpy==2.4.6'
OMP_NUM_THREADS=1 env/bin/python - <<'CODE'
import numpy as np
from sklearn.cluster import KMeans

rng = np.random.default_rng(0)
near, far = (rng.random(20_000_000, dtype=np.float32) + start for start in (0, 10))
points = np.concatenate([near, far])[:, None]
start = np.array([[0], [10]], dtype=np.float32)
means = KMeans(2, init=start, n_init=1, max_iter=2, tol=0, copy_x=False).fit(points)
low, high = means.cluster_centers_[:, 0]
assert low < -0.5 and high > 11.5, (low, high)
print(f"as found: points in [0, 1] and [10, 11] have centres {low:.2f} and {high:.2f}")
CODE
