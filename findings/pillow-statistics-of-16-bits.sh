#!/usr/bin/env bash
# Pillow 13.0.0: ImageStat of a grey image of 16 bits. Expected: mean and extrema of its values. Seen:
# the histogram has 256 bins of other values, so a ramp from 0 to 64,944 has the mean 118.55 and the
# extrema 0 and 240, while getextrema() of the same image is right. A data set standardised by it is off
# by a factor of 274. Use numpy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'pillow==13.0.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from PIL import Image, ImageStat

values = np.arange(0, 65_536, 656, dtype=np.uint16).reshape(10, 10)
image = Image.fromarray(values)
stat = ImageStat.Stat(image)
assert image.getextrema() == (0, 64_944) and values.mean() == 32_472
assert stat.mean == [118.55] and stat.extrema == [(0, 240)]
print("as found: ImageStat gives a ramp with the mean 32472 the mean", stat.mean[0])
CODE
