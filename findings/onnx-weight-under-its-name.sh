#!/usr/bin/env bash
# torch 2.13.0 with onnx 1.22.0 and onnxscript 0.7.2: a convolution and its batch norm are exported, and
# the filters read from the file by their name. Expected: the filters. Seen: with optimisation, the
# default, they are multiplied by the norm's scale, still named 0.weight, and the norm is gone; a bank
# taken from ONNX has other lengths and, for negative scales, signs. optimize=False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torch==2.13.0' 'onnx==1.22.0' 'onnxscript==0.7.2' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import numpy as np
import onnx
import torch
from torch import nn

network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)).eval()
nn.init.constant_(network[1].weight, -3)
nn.init.constant_(network[1].running_var, 4)
filters = network[0].weight.detach().numpy()


def stored(optimize):
    exported = torch.onnx.export(
        network, (torch.randn(1, 3, 8, 8),), dynamo=True, optimize=optimize, verbose=False
    )
    exported.save("network.onnx")
    graph = onnx.load("network.onnx").graph
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
    return weights["0.weight"], any(node.op_type == "BatchNormalization" for node in graph.node)


plain, norm = stored(optimize=False)
assert np.array_equal(plain, filters) and norm
folded, norm = stored(optimize=True)
assert np.allclose(folded, -1.5 * filters, rtol=1e-4) and not norm
print("as found: 0.weight in the ONNX file is -1.5 times the convolution's weight")
CODE
