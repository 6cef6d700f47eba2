#!/usr/bin/env bash
# torch 2.13.0: kaiming_normal_ with mode="fan_out" on a depthwise convolution of 64 channels. Expected:
# a deviation of sqrt(2 / 9), since each filter goes to one map of 9 weights. Seen: sqrt(2 / (64 * 9)),
# eight times too small: the shape of the weight holds no groups, and the count of all outputs is taken;
# "fan_in" is right. The signal shrinks by that factor in each such layer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torch import nn

torch.manual_seed(0)
spread = {}
for mode in ("fan_in", "fan_out"):
    weight = nn.Conv2d(64, 64, 3, groups=64).weight
    nn.init.kaiming_normal_(weight, mode=mode, nonlinearity="relu")
    spread[mode] = weight.std().item()
right = (2 / 9) ** 0.5
assert abs(spread["fan_in"] / right - 1) < 0.15
assert abs(8 * spread["fan_out"] / right - 1) < 0.15
print(f"as found: fan_out gives a depthwise filter a deviation of {spread['fan_out']:.3f} in place of {right:.3f}")
CODE
