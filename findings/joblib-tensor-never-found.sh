#!/usr/bin/env bash
# joblib 1.6.0 with torch 2.13.0: a function of a tensor behind Memory. Expected: called twice with
# equal tensors, it computes once, as for arrays. Seen: it computes twice, since the hash of a tensor is
# that of its pickle, which holds the address of its memory; a later process computes anew as well, and
# the folder grows. Pass tensor.numpy().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'joblib==1.6.0' 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import joblib
import torch

memory = joblib.Memory("cache", verbose=0)
calls = []


def total(values):
    calls.append(1)
    return float(values.sum())


cached = memory.cache(total)
bank = torch.ones(3)
copy = bank.clone()
assert cached(bank) == cached(copy) == 3 and len(calls) == 2
assert joblib.hash(bank) != joblib.hash(copy)
assert cached(bank.numpy()) == cached(copy.numpy()) == 3 and len(calls) == 3
print("as found: joblib's Memory computes twice for equal tensors, once for equal arrays")
CODE
