#!/usr/bin/env bash
# Keras 3.15.1: one initialiser, GlorotUniform(), handed to two layers of the same shape. Expected: two
# draws, as the name "glorot_uniform" gives. Seen: the same kernels in both, since an object keeps the
# seed it took when it was made; no warning. Two branches then learn the same. One object a layer, or
# the name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'keras==3.15.1' 'jax==0.10.2' 'numpy==2.4.6'
KERAS_BACKEND=jax JAX_PLATFORMS=cpu env/bin/python - <<'CODE'
import warnings

import keras
import numpy as np

warnings.simplefilter("error", UserWarning)


def alike(initializer):
    layers = [keras.layers.Conv2D(8, 3, kernel_initializer=initializer) for _ in range(2)]
    for layer in layers:
        layer.build((None, 8, 8, 3))
    return np.array_equal(*(layer.get_weights()[0] for layer in layers))


assert alike(keras.initializers.GlorotUniform())
assert not alike("glorot_uniform")
print("as found: two layers with one GlorotUniform() have the same kernels")
CODE
