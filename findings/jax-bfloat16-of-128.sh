#!/usr/bin/env bash
# jax 0.10.2: first weights drawn in bfloat16, by random.normal or by initializers.lecun_normal, which
# flax takes for param_dtype=bfloat16. Expected: normal weights, rounded to bfloat16. Seen: a million of
# them have 128 values among them, none beyond 2.9, and a mean of -0.012 deviations (lecun_normal:
# -0.018), since they are made of 7 random bits each. float32's, rounded, have thousands of values and
# reach 4.6: draw in float32 and cast.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6' 'ml_dtypes==0.6.0'
JAX_PLATFORMS=cpu env/bin/python - <<'CODE'
import jax
import jax.numpy as jnp
import numpy as np


def seen(draw, seed, dtype):
    weights = draw(jax.random.key(seed), (1000, 1000), dtype).astype(jnp.bfloat16)
    weights = np.asarray(weights).astype(np.float64)
    return len(np.unique(weights)), np.abs(weights).max(), weights.mean() / weights.std()


lecun = jax.nn.initializers.lecun_normal()
for seed in range(3):
    values, largest, mean = seen(jax.random.normal, seed, jnp.bfloat16)
    assert values == 128 and largest < 2.9 and -0.014 < mean < -0.009
    values, _, mean = seen(lecun, seed, jnp.bfloat16)
    assert values == 128 and -0.021 < mean < -0.015
    for draw in (jax.random.normal, lecun):
        values, largest, mean = seen(draw, seed, jnp.float32)
        assert values > 3000 and abs(mean) < 0.004
    assert seen(jax.random.normal, seed, jnp.float32)[1] > 4.5
print("as found: a million normal weights of jax in bfloat16 have 128 values, in float32", values)
CODE
