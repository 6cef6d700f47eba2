#!/usr/bin/env bash
# pandas 3.0.0: records with the key "train_time", in milliseconds, written as JSON and read by
# read_json. Expected: numbers. Seen: a column whose name ends in _time becomes dates once all its
# values are above 31,536,000 (a year in seconds): 45,000,000 ms of training become the 5th of June
# 1971, and one shorter run among them keeps all as numbers, so the type hangs on the values.
# convert_dates=False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'pandas==3.0.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import io

import pandas as pd

read = lambda *times, **how: pd.read_json(
    io.StringIO(str([{"train_time": time} for time in times]).replace("'", '"')), **how
).train_time
assert read(30_000_000, 31_000_000).dtype == "int64"
long = read(45_000_000, 52_000_000)
assert long.dtype.kind == "M" and long[0].year == 1971
assert read(45_000_000, 30_000_000).dtype == "int64"
assert read(45_000_000, 52_000_000, convert_dates=False).dtype == "int64"
print("as found: pandas reads a train_time of 45000000 as", long[0])
CODE
