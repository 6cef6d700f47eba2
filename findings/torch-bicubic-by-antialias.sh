#!/usr/bin/env bash
# torch 2.13.0: interpolate, mode="bicubic", from 14 x 14 to 24 x 24, with and without antialias.
# Expected: the same, as for bilinear, since nothing can alias when a picture grows. Seen: up to 0.06 of
# the range between them, for antialias also chooses another cubic: Pillow's (a = -0.5), and without it
# OpenCV's (a = -0.75), which overshoots more. Filters and position embeddings enlarged in one way are
# not those enlarged in the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torch==2.13.0' 'numpy==2.4.6' 'pillow==12.3.0' 'opencv-python-headless==5.0.0.93'
env/bin/python - <<'CODE'
import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

picture = np.random.default_rng(0).random((14, 14), dtype=np.float32)


def enlarged(mode, antialias):
    batch = torch.tensor(picture)[None, None]
    return interpolate(batch, (24, 24), mode=mode, antialias=antialias)[0, 0].numpy()


distance = lambda a, b: float(np.abs(a - b).max())
pillow = np.asarray(Image.fromarray(picture).resize((24, 24), Image.Resampling.BICUBIC))
opencv = cv2.resize(picture, (24, 24), interpolation=cv2.INTER_CUBIC)
with_it, without = enlarged("bicubic", True), enlarged("bicubic", False)
assert distance(enlarged("bilinear", True), enlarged("bilinear", False)) < 1e-5
assert distance(with_it, pillow) < 1e-5 and distance(without, opencv) < 1e-5
assert distance(with_it, without) > 0.05
moved = round(distance(with_it, without), 3)
print("as found: antialias moves the values of an enlarged picture by up to", moved)
CODE
