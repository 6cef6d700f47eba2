#!/usr/bin/env bash
# statsmodels 0.15.0: the power of a paired t test for differences of 2 to 8 deviations and 3 to 100
# runs, ordinary for accuracies of networks. Expected: numbers near 1. Seen: nan at some places and 1.0
# at their neighbours, without a pattern, since scipy's noncentral t distribution gives nan there; no
# warning. A plan made of the smallest number with enough power skips them. Compute by the normal, or
# treat nan as unknown.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'statsmodels==0.15.0' 'scipy==1.17.1' 'pandas==3.0.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from statsmodels.stats.power import TTestPower

power = np.array(
    [[TTestPower().power(d, n, 0.05) for n in (3, 5, 10, 20, 50, 100)] for d in (2, 3, 5, 8)]
)
unknown = np.isnan(power)
assert unknown.any() and (power[~unknown] > 0.45).all()
assert unknown[:, 2:].sum() >= 3 and (power[:, 2:][~unknown[:, 2:]] > 0.999).all()
print(f"as found: {unknown.sum()} of {unknown.size} powers are nan, between others above 0.999")
CODE
