#!/usr/bin/env bash
# torch 2.13.0: nn.init, or copy_ under no_grad, on the weight of a layer under
# parametrizations.weight_norm or orthogonal. Expected: the layer is initialised, or an error. Seen:
# nothing happens, without a word: weight is computed anew at each access, and what was written is
# thrown away. With an assignment, layer.weight = filters, weight_norm keeps them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torch import nn
from torch.nn.utils.parametrizations import orthogonal, weight_norm

filters = torch.randn(8, 3, 3, 3)
for parametrize in (weight_norm, orthogonal):
    layer = parametrize(nn.Conv2d(3, 8, 3))
    before = layer.weight.detach().clone()
    assert nn.init.ones_(layer.weight).min() == 1
    assert torch.equal(layer.weight, before)
    with torch.no_grad():
        layer.weight.copy_(filters)
    assert torch.equal(layer.weight, before)
layer = weight_norm(nn.Conv2d(3, 8, 3))
layer.weight = filters
assert torch.allclose(layer.weight, filters, atol=1e-5)
print("as found: nn.init.ones_ on a weight-normed layer leaves the old filters")
CODE
