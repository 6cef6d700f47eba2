#!/usr/bin/env bash
# monai 1.6.1: LoadImage of a PNG 3 wide and 2 high. Expected: 2 rows of 3, as Pillow and torchvision
# give. Seen: 3 rows of 2: the picture is transposed, x first as for scans, in colour too. Square
# pictures hide it; patches, and filters made of them, have upright and level edges exchanged.
# PILReader(reverse_indexing=False).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'monai==1.6.1' 'torch==2.13.0' 'pillow==13.0.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from monai.data import PILReader
from monai.transforms import LoadImage
from PIL import Image

picture = np.array([[0, 10, 20], [30, 40, 50]], dtype=np.uint8)
Image.fromarray(picture).save("picture.png")
assert np.array_equal(np.asarray(LoadImage()("picture.png")), picture.T)
upright = LoadImage(reader=PILReader(reverse_indexing=False))
assert np.array_equal(np.asarray(upright("picture.png")), picture)
print("as found: monai loads a picture of 2 rows and 3 columns as 3 rows and 2 columns")
CODE
