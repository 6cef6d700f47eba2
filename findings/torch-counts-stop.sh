#!/usr/bin/env bash
# torch 2.13.0: bincount of 20 million labels with weights of one, in float32. Expected: 20,000,000, or
# float64, which numpy takes. Seen: 16,777,216, the last whole number to which float32 can add 1; sum of
# the same weights is right. Cluster sizes, and means made of them, stop there: weights in float64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
import torch

number = 20_000_000
labels, weights = torch.zeros(number, dtype=torch.long), torch.ones(number)
assert weights.sum() == number
assert torch.bincount(labels, weights=weights).item() == 2**24
assert torch.bincount(labels, weights=weights.double()).item() == number
assert np.bincount(labels.numpy(), weights=weights.numpy()).item() == number
print("as found: torch counts 20,000,000 weights of one as", int(torch.bincount(labels, weights=weights).item()))
CODE
