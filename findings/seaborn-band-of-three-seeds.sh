#!/usr/bin/env bash
# seaborn 0.13.2: lineplot of three seeds, with its own band, a bootstrapped interval of 95 %. Expected:
# an interval that holds the mean in about 95 of 100 cases. Seen: the band ends exactly at the smallest
# and the largest of the three, since one draw in 27 repeats the smallest three times, more than 2.5 %.
# For normal data this range holds the mean in 75 of 100 cases.
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
import numpy as np
import pandas as pd
import seaborn as sns

runs = pd.DataFrame({"epoch": [1] * 3 + [2] * 3, "accuracy": [60, 61, 64, 70, 75, 71.0]})
axes = sns.lineplot(runs, x="epoch", y="accuracy", seed=1)
band = axes.collections[0].get_paths()[0].vertices
for epoch, low, high in ((1, 60, 64), (2, 70, 75)):
    heights = band[band[:, 0] == epoch, 1]
    assert (heights.min(), heights.max()) == (low, high)
draws = np.random.default_rng(0).normal(size=(100_000, 3))
held = ((draws.min(axis=1) < 0) & (draws.max(axis=1) > 0)).mean()
assert abs(held - 0.75) < 0.01
print(f"as found: seaborn's 95 % band of three seeds is their range, which holds the mean in {held:.0%}")
CODE
