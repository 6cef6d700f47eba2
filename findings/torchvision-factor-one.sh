#!/usr/bin/env bash
# torchvision 0.26.0: v2.functional.adjust_brightness by the factor 1 on a normalised image. Expected:
# the image. Seen: every negative value is 0, half of the picture, since colour functions cut to [0, 1];
# contrast, saturation and sharpness do the same, GaussianNoise too. Colour first, Normalize last.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torch==2.11.0' 'torchvision==0.26.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torchvision.transforms.v2 import GaussianNoise, functional

torch.manual_seed(0)
image = torch.randn(3, 8, 8).clamp(-1, 1)
for change in ("brightness", "contrast", "saturation", "sharpness"):
    same = getattr(functional, f"adjust_{change}")(image, 1.0)
    assert torch.allclose(same, image.clamp(0, 1), atol=1e-5), change
assert GaussianNoise(sigma=1e-4)(image).min() == 0
print("as found: adjust_brightness by 1 sets the negative half of a normalised image to 0")
CODE
