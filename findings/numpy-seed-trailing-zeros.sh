#!/usr/bin/env bash
# numpy 2.4.6: a list of numbers as a seed, one for the run and one for the purpose. Expected: another
# list, another stream. Seen: zeros at the end of a short list count for nothing, so that [5, 0],
# purpose 0 of run 5, is the stream of the plain seed 5 (spawned streams are apart). What is thought to
# be independent is then the same numbers: count purposes from 1, or put them first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np

draw = lambda seed: np.random.default_rng(seed).random(3).tolist()
assert draw(5) == draw([5]) == draw([5, 0]) == draw([5, 0, 0, 0])
assert draw(5) != draw([5, 1]) and draw(5) != draw([0, 5])
spawned = np.random.SeedSequence(5).spawn(1)[0]
assert draw(5) != draw(spawned)
print("as found: numpy's seeds 5, [5, 0] and [5, 0, 0, 0] are one stream")
CODE
