#!/usr/bin/env bash
# flax 0.12.8 (linen): LayerNorm of eight values around 10,000 with deviation 1. Expected: outputs of
# deviation 1. Seen: outputs beyond 100: by default the variance is the mean of squares less the square
# of the mean, in float32, and what comes out below 0 is taken for 0. BatchNorm and GroupNorm do the
# same; use_fast_variance=False is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'flax==0.12.8' 'jax==0.10.2' 'numpy==2.4.6'
JAX_PLATFORMS=cpu env/bin/python - <<'CODE'
import flax.linen as nn
import jax
import numpy as np

values = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32) + 10_000


def largest(norm):
    return float(abs(norm.apply(norm.init(jax.random.key(0), values), values)).max())


assert largest(nn.LayerNorm(use_fast_variance=False)) < 3
assert largest(nn.LayerNorm()) > 100 and largest(nn.GroupNorm(2)) > 100
print("as found: flax's LayerNorm gives values beyond 100, where 3 is right")
CODE
