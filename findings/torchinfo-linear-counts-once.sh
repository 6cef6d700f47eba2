#!/usr/bin/env bash
# torchinfo 1.8.0: mult-adds of a linear layer from 48 to 64 over the 196 patches of an image. Expected:
# 196 times those of one patch, 602,112 and the biases. Seen: those of one patch, 3,136, whatever the
# number of patches. The same filters as a convolution are counted in full, 614,656. An embedding of
# patches, an MLP over them or a vision transformer appears cheaper by the number of patches.
# torch.utils.flop_counter counts them all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torchinfo==1.8.0' 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary

linear, convolution = nn.Linear(48, 64), nn.Conv2d(3, 64, 4, stride=4)
counted = lambda layer, *shape: summary(layer, shape, verbose=0).total_mult_adds
assert counted(linear, 1, 48) == counted(linear, 1, 196, 48) == 49 * 64
assert counted(linear, 196, 48) == counted(convolution, 1, 3, 56, 56) == 196 * 49 * 64
with FlopCounterMode(display=False) as counter:
    linear(torch.zeros(1, 196, 48))
assert counter.get_total_flops() == 2 * 196 * 48 * 64
print("as found: torchinfo counts 196 patches as", counted(linear, 1, 196, 48), "as a linear layer")
print("and as", counted(convolution, 1, 3, 56, 56), "as a convolution by the same filters")
CODE
