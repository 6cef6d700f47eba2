#!/usr/bin/env bash
# torchmetrics 1.9.0: 90 pictures of class 0, 10 of class 1, all called 0. Expected:
# Accuracy(task="multiclass") and MulticlassAccuracy, of which it is the wrapper, agree. Seen: 0.9 and
# 0.5: one takes the mean over pictures by default, the other over classes. On balanced data nobody sees
# it. Give average.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torchmetrics==1.9.0' 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torchmetrics import Accuracy
from torchmetrics.classification import MulticlassAccuracy

truth = torch.tensor([0] * 90 + [1] * 10)
answer = torch.zeros(100, dtype=torch.long)
wrapped = Accuracy(task="multiclass", num_classes=2)
direct = MulticlassAccuracy(num_classes=2)
assert type(wrapped) is type(direct)
assert round(wrapped(answer, truth).item(), 6) == 0.9 and direct(answer, truth).item() == 0.5
print("as found: one class, two accuracies, 0.9 by Accuracy and 0.5 by MulticlassAccuracy")
CODE
