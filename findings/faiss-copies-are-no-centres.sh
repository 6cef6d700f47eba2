#!/usr/bin/env bash
# faiss-cpu 1.15.1: Kmeans with four clusters on data with only two distinct points, (0, 0) and (1, 1),
# 50 times each. Expected: centres at the two points, some twice or empty. Seen: an empty cluster takes
# half of another and both are pushed apart by 1/1024, so no centre is (1, 1) any more although half of
# the points are. Constant patches are such copies: drop them first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'faiss-cpu==1.15.1' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import faiss
import numpy as np

points = np.repeat(np.array([[0, 0], [1, 1]], dtype=np.float32), 50, axis=0)
means = faiss.Kmeans(2, 4, niter=10)
means.train(points)
high = means.centroids[means.centroids.mean(axis=1) > 0.5]
assert len(high) and not (high == 1).all(axis=1).any()
assert np.allclose(np.abs(high - 1), 1 / 1024, atol=1e-4)
print("as found: faiss puts centres at", sorted(map(tuple, high.round(4).tolist())), "and none at (1, 1)")
CODE
