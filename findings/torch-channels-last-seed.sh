#!/usr/bin/env bash
# torch 2.13.0: a convolution is moved to channels_last, which is known to change memory and not values,
# and then initialised by a seed. Expected: the same filters as without. Seen: the numbers are laid down
# in the order of memory, so the filters are others (as good, but not the same run), and orthogonal_
# stops with an error about view and strides. Initialise first, move then.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torch import nn


def filters(init, memory_format):
    layer = nn.Conv2d(3, 32, 3).to(memory_format=memory_format)
    torch.manual_seed(0)
    init(layer.weight)
    return layer.weight.detach().contiguous()


for init in (nn.init.kaiming_normal_, nn.init.xavier_uniform_, nn.init.trunc_normal_):
    usual, moved = (filters(init, form) for form in (torch.contiguous_format, torch.channels_last))
    assert not torch.allclose(usual, moved, atol=0.1)
    if init is nn.init.xavier_uniform_:
        assert torch.equal(usual.flatten().sort().values, moved.flatten().sort().values)
try:
    filters(nn.init.orthogonal_, torch.channels_last)
except RuntimeError as error:
    assert "view" in str(error)
else:
    raise AssertionError("orthogonal_ works now")
print("as found: with one seed, a channels_last convolution starts with other filters")
CODE
