#!/usr/bin/env bash
# statsmodels 0.15.0: multipletests on p-values of which one is nan (a test on equal runs, say).
# Expected: nan for that one, or an error. Seen: with fdr_bh every adjusted p is nan and the smallest is
# still rejected; holm adjusts by the number of all, the nan too, and hommel, no less strong than holm,
# rejects nothing. Take nan out first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'statsmodels==0.15.0' 'scipy==1.17.1' 'pandas==3.0.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from statsmodels.stats.multitest import multipletests

p = [0.001, np.nan, 0.2, 0.04]
reject, adjusted, *_ = multipletests(p, method="fdr_bh")
assert reject.tolist() == [True, False, False, False] and np.isnan(adjusted).all()
assert multipletests(p, method="holm")[1][0] == 0.004
assert not multipletests(p, method="hommel")[0].any()
print("as found: statsmodels rejects a hypothesis whose adjusted p-value is", adjusted[0])
CODE
