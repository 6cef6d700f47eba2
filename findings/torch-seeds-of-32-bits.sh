#!/usr/bin/env bash
# torch 2.13.0: manual_seed with a seed of 64 bits, a hash of the run's name, say. It takes it and
# initial_seed() gives it back. Expected: other seeds, other numbers. Seen: on a CPU only the lower 32
# bits count, so 7 and 7 + 2**32 are one stream; by chance alone two of 77,000 hashed seeds agree in
# half of all cases, where 64 bits would do for billions.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch


def draw(seed):
    generator = torch.Generator().manual_seed(seed)
    assert generator.initial_seed() == seed
    return torch.randn(100, generator=generator)


assert torch.equal(draw(7), draw(7 + 2**32)) and torch.equal(draw(7), draw(7 + 2**40))
assert not torch.equal(draw(7), draw(8))
print("as found: torch's seeds 7, 7 + 2**32 and 7 + 2**40 are one stream on a CPU")
CODE
