#!/usr/bin/env bash
# datasets 5.2.0: a column of float64 read through with_format("numpy"). Expected: float64, since numpy
# has it. Seen: a slice comes as float32, one row as float64, so the same number differs by how it is
# asked for; and images of uint8 come as int64, eight times as large. A dtype in with_format settles it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'datasets==5.2.0' 'numpy==2.4.6'
HF_HUB_OFFLINE=1 HF_HOME="$folder" env/bin/python - <<'CODE'
import numpy as np
from datasets import Dataset

data = Dataset.from_dict({"loss": [0.1, 0.2], "image": [np.zeros((2, 2), dtype=np.uint8)] * 2})
read = data.with_format("numpy")
assert str(data.features["loss"].dtype) == "float64"
assert read[:]["loss"].dtype == np.float32 and read[0]["loss"].dtype == np.float64
assert read[0]["loss"] != read[:]["loss"][0]
assert read[:]["image"].dtype == np.int64
exact = data.with_format("numpy", dtype=np.float64)
assert exact[:]["loss"].dtype == np.float64
print("as found: a float64 column is float32 as a slice, float64 as a row; uint8 becomes int64")
CODE
