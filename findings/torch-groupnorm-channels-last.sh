#!/usr/bin/env bash
# torch 2.13.0 on a CPU: GroupNorm of maps with mean 10,000 and deviation 1. Expected: deviation 1 in
# any memory format, to a few digits. Seen: 1.0000 for the usual layout, more than 100 for
# channels_last, which takes the variance as a difference of two squares in float32. It is the same for
# every instruction set. Take the mean off inputs that have one.
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
maps = torch.randn(16, 8, 16, 16) + 10_000
norm = nn.GroupNorm(2, 8)
usual = norm(maps).std().item()
moved = norm(maps.contiguous(memory_format=torch.channels_last)).std().item()
assert abs(usual - 1) < 0.01 and moved > 20
print(f"as found: GroupNorm's output has a deviation of {usual:.3f}, with channels_last of more than 20")
CODE
