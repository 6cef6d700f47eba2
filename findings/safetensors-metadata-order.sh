#!/usr/bin/env bash
# safetensors 0.8.0: one tensor saved again and again with the same five entries of metadata. Expected:
# the same file; the format has a fixed layout. Seen: the entries come in a random order, so digests of
# equal files differ, within one process too. Whoever compares files byte by byte keeps one entry, with
# a JSON text in it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'safetensors==0.8.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
from safetensors.numpy import save

bank = {"bank": np.zeros(3, dtype=np.float32)}
five = {save(bank, metadata={f"key {i}": "same" for i in range(5)}) for _ in range(40)}
one = {save(bank, metadata={"key": "same"}) for _ in range(40)}
assert len(five) > 1 and len(one) == 1
print("as found: 40 equal saves give more than one file with five metadata entries, one file with one")
CODE
