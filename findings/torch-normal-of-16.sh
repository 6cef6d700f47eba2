#!/usr/bin/env bash
# torch 2.13.0: normal numbers of one seed, 15 and 16 of them. Expected: the first 15 agree, as for
# uniform ones. Seen: none but by chance does, since from 16 on another method is used; and where the
# number is no multiple of 16, the last 16 are drawn again, so of 50 and 100 numbers 34 agree. A layer
# with one filter more then starts with other filters; draw the larger one and cut.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch


def draw(number, kind=torch.randn):
    torch.manual_seed(0)
    return kind(number)


alike = lambda few, many, **kind: int((draw(few, **kind) == draw(many, **kind)[:few]).sum())
assert alike(15, 16) == 0
assert alike(50, 100) == 34
assert alike(32, 100) == 32
assert alike(15, 16, kind=torch.rand) == 15 and alike(50, 100, kind=torch.rand) == 50
print("as found: of the first 15 of 16 normal numbers", alike(15, 16), "agree, of 50 of 100", alike(50, 100))
CODE
