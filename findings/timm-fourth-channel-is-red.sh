#!/usr/bin/env bash
# timm 1.0.31: trained filters for three channels are brought to four, in_chans=4, for near infrared,
# say. Expected: a fourth filter of zeros or of the mean. Seen: the fourth is the red one again and all
# are scaled by 3/4, so red counts twice and the three known ones are not kept: a picture whose fourth
# channel is 0 no longer gives what it gave.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'torch==2.11.0' 'torchvision==0.26.0' 'numpy==2.4.6' 'timm==1.0.31'
env/bin/python - <<'CODE'
import torch
from timm.models import adapt_input_conv

filters = torch.tensor([1.0, 2, 4]).view(1, 3, 1, 1)
four = adapt_input_conv(4, filters).flatten().tolist()
assert four == [0.75, 1.5, 3.0, 0.75]
assert adapt_input_conv(1, filters).item() == 7
print("as found: timm brings filters 1, 2, 4 of red, green and blue to", four)
CODE
