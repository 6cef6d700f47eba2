#!/usr/bin/env bash
# safetensors 0.8.0, numpy: a matrix is transposed and saved. Expected: it comes back, or an error, as
# safetensors.torch raises for it. Seen: the bytes are written in the order of memory under the new
# shape, so other values come back, without a word. Principal components are often such a transpose:
# np.ascontiguousarray first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'safetensors==0.8.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from safetensors.numpy import load, save

bank = np.arange(6, dtype=np.float32).reshape(2, 3).T
back = load(save({"bank": bank}))["bank"]
assert back.shape == bank.shape and not np.array_equal(back, bank)
assert back.tolist() == [[0, 1], [2, 3], [4, 5]]
assert np.array_equal(load(save({"bank": np.ascontiguousarray(bank)}))["bank"], bank)
print("as found:", bank.tolist(), "is saved and comes back as", back.tolist())
CODE
