#!/usr/bin/env bash
# seaborn 0.13.2: lineplot with hue="width" for networks 8, 16, 32, 64, 128, 256 and 512 wide. Expected:
# a legend of these seven. Seen: 100, 200, 300, 400 and 500, widths that no run had, on a colour scale
# on which 8 to 64 look alike; with six widths the legend lists the runs. legend="full", or widths as
# text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'seaborn==0.13.2' 'matplotlib==3.11.2' 'pandas==3.0.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns


def legend(widths):
    plt.figure()
    runs = pd.DataFrame(
        {"epoch": [0, 1] * len(widths), "loss": 1.0, "width": np.repeat(widths, 2)}
    )
    axes = sns.lineplot(runs, x="epoch", y="loss", hue="width")
    return [int(text.get_text()) for text in axes.get_legend().get_texts()]


assert legend([8, 16, 32, 64, 128, 256]) == [8, 16, 32, 64, 128, 256]
seven = legend([8, 16, 32, 64, 128, 256, 512])
assert seven == [100, 200, 300, 400, 500]
print("as found: the legend of seven widths from 8 to 512 lists", seven)
CODE
