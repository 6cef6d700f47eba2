#!/usr/bin/env bash
# timm 1.0.31: a fresh resnet18 and its first gradients. Expected: every convolution has one, as in
# torchvision's. Seen: it is exactly 0 in 16 of 20: the last norm of each block starts with weight 0, so
# a first step by plain SGD moves the stem, the shortcuts and those norms alone. Comparing starts by
# first gradients, or pruning by them, sees nothing. zero_init_last=False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torch==2.11.0' 'torchvision==0.26.0' 'numpy==2.4.6' 'timm==1.0.31'
env/bin/python - <<'CODE'
import timm
import torch
import torchvision


def without(network):
    network(torch.randn(2, 3, 64, 64)).square().sum().backward()
    kernels = [p for p in network.parameters() if p.dim() == 4]
    return sum(not p.grad.any() for p in kernels), len(kernels)


torch.manual_seed(0)
assert without(torchvision.models.resnet18()) == (0, 20)
assert without(timm.create_model("resnet18", zero_init_last=False)) == (0, 20)
none, number = without(timm.create_model("resnet18"))
assert (none, number) == (16, 20)
print(f"as found: {none} of {number} convolutions of timm's fresh resnet18 have no gradient at all")
CODE
