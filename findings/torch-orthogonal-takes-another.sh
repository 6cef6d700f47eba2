#!/usr/bin/env bash
# torch 2.13.0: filters are assigned to a layer under parametrizations.orthogonal. Expected: they are
# kept if orthonormal, else refused or brought to the nearest orthonormal ones. Seen: others are put
# down in silence, the Q of a QR decomposition: the first filter keeps its direction, each later one
# loses what it shares with those before, so the result depends on their order, and is not the nearest.
# Orthonormalise yourself before you assign.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torch import nn
from torch.nn.utils.parametrizations import orthogonal

torch.manual_seed(0)
filters = torch.randn(4, 8)
layer = orthogonal(nn.Linear(8, 4))
layer.weight = filters
kept = layer.weight.detach()
cosines = nn.functional.cosine_similarity(kept, filters)
u, _, vh = torch.linalg.svd(filters, full_matrices=False)
nearest = u @ vh
assert torch.allclose(kept @ kept.T, torch.eye(4), atol=1e-5)
assert torch.isclose(cosines[0].abs(), torch.tensor(1.0), atol=1e-4) and cosines[1:].abs().min() < 0.99
assert (kept - filters).norm() > (nearest - filters).norm() + 0.01
layer.weight = nearest
assert torch.allclose(layer.weight, nearest, atol=1e-5)
print("as found: assigned filters come back turned, with cosines", [round(c, 2) for c in cosines.tolist()])
CODE
