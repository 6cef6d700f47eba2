#!/usr/bin/env bash
# matplotlib 3.11.2: a filter of 3x3 drawn by imshow with interpolation="nearest" and saved as SVG.
# Expected: nine sharp squares at any size. Seen: a picture of 308 by 308 pixels at the figure's dpi
# without image-rendering, which viewers smooth when enlarged; "none" embeds the nine values and says
# that they stay sharp. For vector files: "none".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'matplotlib==3.11.2' 'pillow==13.0.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import base64
import io
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from PIL import Image


def embedded(interpolation):
    figure, axes = plt.subplots(figsize=(4, 4))
    axes.imshow([[1, 2, 3], [4, 5, 6], [7, 8, 9]], interpolation=interpolation)
    figure.savefig("filter.svg")
    text = open("filter.svg").read()
    code = re.search(r'data:image/png;base64,([^"]*)', text).group(1)
    return Image.open(io.BytesIO(base64.b64decode(code))).width, "image-rendering" in text


wide, sharp = embedded("nearest")
assert wide > 200 and not sharp
assert embedded("none") == (3, True)
print(f"as found: nearest puts a picture {wide} pixels wide into the SVG, none one of 3 that stays sharp")
CODE
