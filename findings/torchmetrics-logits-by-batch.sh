#!/usr/bin/env bash
# torchmetrics 1.9.0: BinaryAUROC and BinaryAccuracy of the same six logits, positives above negatives,
# in batches of 1, 2 and 6. Expected: an AUROC of 1 each time, and one accuracy. Seen: 0.78, 0.67 and 1,
# and accuracies of 0.67, 0.67 and 0.83: a batch with a value outside [0, 1] is taken for logits and gets
# a sigmoid, any other for probabilities, so what a logit counts for hangs on its neighbours. The small
# logits of a fresh network are hit most. Give it probabilities.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torchmetrics==1.9.0' 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

logits = torch.tensor([0.2, 0.55, 0.4, -1.0, 0.1, -0.5])
labels = torch.tensor([1, 1, 1, 0, 0, 0])


def measured(metric, values):
    results = []
    for size in (1, 2, 6):
        metric.reset()
        for batch in zip(values.split(size), labels.split(size)):
            metric.update(*batch)
        results.append(metric.compute().item())
    return results


for metric, single, all_six in ((BinaryAUROC(), 7 / 9, 1.0), (BinaryAccuracy(), 4 / 6, 5 / 6)):
    expected = torch.tensor([single, 2 / 3, all_six])
    assert torch.allclose(torch.tensor(measured(metric, logits)), expected)
    assert measured(metric, logits.sigmoid()) == [torch.tensor(all_six).item()] * 3
found = [round(value, 2) for value in measured(BinaryAUROC(), logits)]
print("as found: the AUROC of six logits is", found, "in batches of 1, 2 and 6")
CODE
