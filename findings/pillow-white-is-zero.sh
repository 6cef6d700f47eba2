#!/usr/bin/env bash
# Pillow 13.0.0: two grey TIFFs whose photometric interpretation says that 0 is white, as scanners write
# them, one of 8 and one of 16 bits. Expected: both turned, or neither. Seen: 8 bits are turned (0 is
# read as 255), 16 bits are not, so one scan saved at two depths is once a positive and once a negative.
# tifffile turns neither; it gives the photometric tag.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'pillow==13.0.0' 'tifffile==2026.3.3' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
import tifffile
from PIL import Image


def read(kind):
    tifffile.imwrite("scan.tif", np.array([[0, 1, 100]], dtype=kind), photometric="miniswhite")
    assert tifffile.imread("scan.tif").tolist() == [[0, 1, 100]]
    with Image.open("scan.tif") as image:
        return np.asarray(image)[0].tolist()


assert read("uint8") == [255, 254, 155]
assert read("uint16") == [0, 1, 100]
print("as found: Pillow turns a WhiteIsZero TIFF of 8 bits and leaves one of 16 bits")
CODE
