#!/usr/bin/env bash
# timm 1.0.31: filters written into the stem of a fresh RepVGG. Expected: their responses leave the
# block at unit scale, as its batch norms start at 1. Seen: these start with weights from N(0.1, 0.1):
# every response is about a tenth as strong, and one in six is turned upside down. MobileOne, its near
# kin, starts at 1. Set the norms to 1 as well.
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

torch.manual_seed(0)
scales = lambda name: torch.cat(
    [n.weight.detach() for n in timm.create_model(name).modules() if isinstance(n, torch.nn.BatchNorm2d)]
)
repvgg = scales("repvgg_a0")
assert abs(repvgg.mean() - 0.1) < 0.01 and abs(repvgg.std() - 0.1) < 0.01
assert 0.13 < (repvgg < 0).float().mean() < 0.19
assert (scales("mobileone_s0") == 1).all()
print(f"as found: RepVGG's norms start around {repvgg.mean():.2f}, {(repvgg < 0).float().mean():.0%} of them negative")
CODE
