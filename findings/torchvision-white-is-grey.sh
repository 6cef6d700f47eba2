#!/usr/bin/env bash
# torchvision 0.26.0: a white picture of uint8 to grey, and to uint16 with scale=True. Expected: white,
# 255 and 65,535. Seen: 254 (the three weights add to 0.9999 and the rest is cut) and 65,280 (a shift by
# eight bits, without the low ones), and back from 65,280 as a share of 65,535 it is 0.996. Pillow's
# grey white is 255. To float first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torch==2.11.0' 'torchvision==0.26.0' 'numpy==2.4.6' 'pillow==13.0.0'
env/bin/python - <<'CODE'
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

white = torch.full((3, 1, 1), 255, dtype=torch.uint8)
assert functional.rgb_to_grayscale(white).item() == 254
assert Image.new("RGB", (1, 1), "white").convert("L").getpixel((0, 0)) == 255
deep = functional.to_dtype(white, torch.uint16, scale=True)
assert deep.to(torch.int32).max().item() == 65_280
print("as found: torchvision's white becomes 254 as grey and 65280 as uint16")
CODE
