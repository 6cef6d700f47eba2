#!/usr/bin/env bash
# flax 0.12.8 (linen): a layer is renamed from conv1 to stem, with the same key. Expected: the same
# weights; a name is a name. Seen: others, because the key of each layer is made from the names on the
# way to it. Runs before and after a tidying are no pairs by seed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'flax==0.12.8' 'jax==0.10.2' 'numpy==2.4.6'
JAX_PLATFORMS=cpu env/bin/python - <<'CODE'
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    name_of_layer: str

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name=self.name_of_layer)(x)


def weights(name):
    variables = Net(name).init(jax.random.key(0), jnp.ones((1, 8)))
    return variables["params"][name]["kernel"]


assert (weights("stem") == weights("stem")).all()
assert jnp.abs(weights("stem") - weights("conv1")).max() > 0.1
print("as found: one key gives flax's layers stem and conv1 other weights")
CODE
