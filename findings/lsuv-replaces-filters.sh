#!/usr/bin/env bash
# lsuv 0.3.0: a layer-sequential scaling of a network whose first filters were set by hand. Expected:
# they are scaled, directions kept. Seen: they are replaced by random orthonormal ones first, so nothing
# is left of them; do_orthonorm=False only scales.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'lsuv==0.3.0' 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from lsuv import lsuv_with_singlebatch
from torch import nn


def cosine(**how):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
    filters = torch.randn(8, 3, 3, 3)
    with torch.no_grad():
        network[0].weight.copy_(filters)
    batch = torch.randn(16, 3, 12, 12)
    lsuv_with_singlebatch(network, batch, verbose=False, device=torch.device("cpu"), **how)
    after = network[0].weight.detach()
    return nn.functional.cosine_similarity(after.flatten(1), filters.flatten(1)).mean().item()


assert cosine(do_orthonorm=False) > 0.999 and abs(cosine()) < 0.5
print(f"as found: after lsuv, filters set by hand have a mean cosine of {cosine():.2f} with themselves")
CODE
