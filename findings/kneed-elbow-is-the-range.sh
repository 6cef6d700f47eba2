#!/usr/bin/env bash
# kneed 0.9.0: the elbow of a spectrum whose variances fall as 1 over k. Expected: none, or one that
# stays as more of the curve is shown. Seen: 3 of 10 components, 10 of 100, 32 of 1000: the root of how
# many were computed, since both axes are scaled to [0, 1] first. Steeper and flatter powers have a
# moving elbow too. On such a curve the last number of components or clusters that was tried decides
# how many are kept.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'kneed==0.9.0' 'numpy==2.4.6' 'scipy==1.17.1'
env/bin/python - <<'CODE'
import numpy as np
from kneed import KneeLocator


def elbows(power):
    found = []
    for last in (10, 100, 1000):
        k = np.arange(1, last + 1)
        found.append(int(KneeLocator(k, 1 / k**power, curve="convex", direction="decreasing").knee))
    return found


assert elbows(1.0) == [3, 10, 32]
assert elbows(0.5) == [4, 14, 64] and elbows(2.0) == [3, 6, 13]
print("as found: of 10, 100 and 1000 values of 1/k, kneed puts the elbow at", elbows(1.0))
CODE
