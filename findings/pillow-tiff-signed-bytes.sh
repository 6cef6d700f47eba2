#!/usr/bin/env bash
# Pillow 13.0.0, beside tifffile 2026.3.3: a TIFF of signed bytes (SampleFormat 2) with the value -1,
# and one of unsigned 32-bit numbers with the value 4,294,967,295. Expected: the values, or the error
# that it raises for a float of 16 or 64 bits. Seen: -1 is read as 255, and 4,294,967,295 as -1, without
# a word; int16 is right. tifffile gives all of them as they were written.
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


def read(value, kind):
    values = np.array([[value, 1]], dtype=kind)
    tifffile.imwrite("values.tif", values, photometric="minisblack")
    assert np.array_equal(tifffile.imread("values.tif"), values)
    with Image.open("values.tif") as image:
        return int(np.asarray(image)[0, 0])


assert read(-1, "int8") == 255
assert read(2**32 - 1, "uint32") == -1
assert read(-1, "int16") == -1
print("as found: Pillow reads a TIFF's int8 -1 as 255, its uint32 4294967295 as -1")
CODE
