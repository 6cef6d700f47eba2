#!/usr/bin/env bash
# scipy 1.17.1: permutation_test on accuracies as shares (0.707) and as counts (707 of 1000), the same
# runs. Expected: the same p. Seen: 0.875 and 0.9375 (paired, one-sided): a mean of shares is rounded,
# so arrangements that are level with the observed one fall just below it, and its tolerance is taken
# from the small difference. With shares p comes out too small; test counts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'scipy==1.17.1' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from scipy.stats import permutation_test

ours, theirs = np.array([707, 717, 711, 700]), np.array([715, 714, 716, 703])
difference = lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis)


def p(scale):
    runs = (ours / scale, theirs / scale)
    return permutation_test(
        runs, difference, vectorized=True, permutation_type="samples", alternative="greater"
    ).pvalue


assert p(1) == 0.9375 and p(1000) == 0.875
print("as found: scipy's p of the same runs is", p(1), "for counts and", p(1000), "for shares")
CODE
