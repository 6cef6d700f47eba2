#!/usr/bin/env bash
# Keras 3.15.1 with the torch backend: a layer built after torch.manual_seed(0). Expected: the same
# weights each time. Seen: others each time; an initialiser without a seed takes it from Python's random
# module, so random.seed fixes the weights, and numpy's and torch's seeds do not.
# keras.utils.set_random_seed sets all three.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'keras==3.15.1' 'torch==2.13.0' 'numpy==2.4.6'
KERAS_BACKEND=torch env/bin/python - <<'CODE'
import random

import keras
import numpy as np
import torch


def alike(seed):
    weights = []
    for _ in range(2):
        seed(0)
        layer = keras.layers.Dense(3)
        layer.build((None, 2))
        weights.append(layer.get_weights()[0])
    return np.array_equal(*weights)


assert not alike(torch.manual_seed) and not alike(np.random.seed)
assert alike(random.seed) and alike(keras.utils.set_random_seed)
print("as found: Keras on torch draws other weights after torch.manual_seed, the same after random.seed")
CODE
