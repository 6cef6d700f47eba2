#!/usr/bin/env bash
# torch 2.13.0: a checkpoint of Adam(fused=True) is loaded beside a model that was moved to
# channels_last since. Expected: the same steps, or an error. Seen: the moments keep the old layout and
# the fused step walks both by memory, so each weight takes the moments of another, without a word;
# fused=False is right. Bring the moments into the layout of the weights after loading.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import torch


def continued(fused, memory_format):
    torch.manual_seed(0)
    start, *gradients = torch.randn(5, 8, 3, 3, 3)
    before = start.clone().requires_grad_()
    first = torch.optim.Adam([before], lr=0.1, fused=fused)
    for gradient in gradients[:2]:
        before.grad = gradient.clone()
        first.step()
    after = before.detach().contiguous(memory_format=memory_format).requires_grad_()
    second = torch.optim.Adam([after], lr=0.1, fused=fused)
    second.load_state_dict(first.state_dict())
    for gradient in gradients[2:]:
        after.grad = gradient.contiguous(memory_format=memory_format)
        second.step()
    return after.detach().contiguous()


gap = {
    fused: (continued(fused, torch.channels_last) - continued(fused, torch.contiguous_format)).abs().max().item()
    for fused in (False, True)
}
assert gap[False] < 1e-5 and gap[True] > 0.05, gap
print(f"as found: two steps after loading, weights differ by {gap[True]:.2f} with fused, by 0 without")
CODE
