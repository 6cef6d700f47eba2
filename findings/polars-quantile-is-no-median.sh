#!/usr/bin/env bash
# polars 2.1.0 and duckdb 2.0.1: the median of four seeds' accuracies, 0.70, 0.71, 0.72 and 0.75.
# Expected: quantile(0.5) is the median, 0.715, as in numpy. Seen: polars gives 0.72, also as the "50%"
# of describe, and duckdb 0.71; median gives 0.715 in both. The one takes the nearest value, the other
# the lower one, so an even number of seeds has three medians, and quartiles differ likewise.
# interpolation="linear" in polars, quantile_cont in duckdb.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'polars==2.1.0' 'duckdb==2.0.1' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import duckdb
import numpy as np
import polars as pl

seeds = [0.70, 0.71, 0.72, 0.75]
series = pl.Series("accuracy", seeds)
described = dict(series.describe().iter_rows())
table = f"(select unnest({seeds}::double[]) as x)"
sql = lambda call: duckdb.sql(f"select {call} from {table}").fetchall()[0][0]

assert series.median() == sql("median(x)") == np.quantile(seeds, 0.5) == 0.715
assert series.quantile(0.5) == described["50%"] == 0.72 and sql("quantile(x, 0.5)") == 0.71
assert series.quantile(0.5, interpolation="linear") == sql("quantile_cont(x, 0.5)") == 0.715
print("as found: quantile(0.5) of four seeds is", series.quantile(0.5), "in polars and", end=" ")
print(sql("quantile(x, 0.5)"), "in duckdb, their median 0.715")
CODE
