#!/usr/bin/env bash
# torch 2.13.0: cdist of patches with themselves, with a mean of 100. Expected: zeros on the diagonal.
# Seen: zeros up to 25 patches; from 26 on distances of 0.1 and more, as it changes to a matrix product
# in float32. Copies are not found by it, and nearest neighbours of like patches are noise.
# compute_mode="donot_use_mm_for_euclid_dist" keeps the zeros.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch

torch.manual_seed(0)
patches = torch.randn(26, 27) + 100
itself = lambda number, **how: torch.cdist(patches[:number], patches[:number], **how).diagonal().max().item()
assert itself(25) == 0
assert itself(26) > 0.05
assert itself(26, compute_mode="donot_use_mm_for_euclid_dist") == 0
print("as found: a patch's distance to itself is 0 among 25 patches and over 0.05 among 26")
CODE
