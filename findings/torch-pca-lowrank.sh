#!/usr/bin/env bash
# torch 2.13.0: pca_lowrank of 5000 points of 27 features, small enough for an exact decomposition.
# Expected: the principal components. Seen: six of them, each call others (it draws from the global
# generator and takes no other), and for a slowly falling spectrum singular values well below the
# exact ones. torch.linalg.svd is exact, and leaves the random state of the run alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch

torch.manual_seed(0)
points = torch.randn(5000, 27) * torch.linspace(2, 1, 27)
points -= points.mean(dim=0)
exact = torch.linalg.svdvals(points)[:6]
state = torch.get_rng_state()
first, second = torch.pca_lowrank(points), torch.pca_lowrank(points)
assert not torch.equal(state, torch.get_rng_state())
assert first[1].shape == (6,)
assert (first[2][:, 0] @ second[2][:, 0]).abs() < 0.99
assert (first[1][-1] / exact[-1]) < 0.97
print(f"as found: pca_lowrank's sixth singular value is {first[1][-1] / exact[-1]:.0%} of the exact one")
CODE
