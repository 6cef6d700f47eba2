#!/usr/bin/env bash
# matplotlib 3.11.2: one CenteredNorm() for a grid of filters, so that all have one scale. Expected: the
# scale of all, or of the last. Seen: the first image sets it for good, so the next, five times as
# strong, is drawn at full colour everywhere and nothing says that it is cut. Give halfrange from all
# filters.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'matplotlib==3.11.2' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import warnings

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.colors import CenteredNorm

warnings.simplefilter("error")
norm = CenteredNorm()
figure, (left, right) = plt.subplots(1, 2)
left.imshow([[-1, 1]], norm=norm, cmap="gray")
strong = right.imshow([[-5, -2, 2, 5]], norm=norm, cmap="gray")
figure.canvas.draw()
assert norm.halfrange == 1
colours = strong.to_rgba(strong.get_array())[0, :, 0]
assert colours.tolist() == [0, 0, 1, 1]
print("as found: a shared CenteredNorm keeps the first image's range, 1, for an image of range 5")
CODE
