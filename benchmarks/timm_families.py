"""Initialise the first layer of one network of each of timm's modules, and check what was written.

The checks do without patchinit's own search: the convolutions of a whole pass are seen by a
dispatch mode of this script, and the weight is told by the memory that it lies in. timm is no
dependency: `pip install timm`. No weights are fetched, images are made up and small.

Printed are written, refused (with the reasons), wrong, and what did not build or run by itself.
"""

from __future__ import annotations

import argparse
import copy
import re
import time
import warnings
from collections import Counter

import timm
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from patchinit import initialize_first_layer_

_SMALL = re.compile(r"nano|pico|femto|atto|tiny|small|mini|micro|xxs|_xs|_s\d?\b|18|26|_0|[ab]0\b")


class Convolutions(TorchDispatchMode):
    """Input, as a copy, and weight of every convolution that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name == "aten::convolution":
            first = not self.seen
            same = first or (
                args[0].shape == self.seen[0][0].shape and torch.equal(args[0], self.seen[0][0])
            )
            if same:
                self.seen.append((args[0].clone() if first else args[0], args[1]))
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def stem(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """By parameter, weights convolved with by what is fed what the first convolution is."""
    model = copy.deepcopy(model).eval()  # so that the pass leaves no trace
    with Convolutions() as watch:
        model(images)
    found = {}
    for place, (_, weight) in enumerate(watch.seen):
        names = [
            name
            for name, value in model.named_parameters()
            if value.untyped_storage().data_ptr() == weight.untyped_storage().data_ptr()
        ]
        found[names[0] if names else f"computed {place}"] = weight.clone()
    return found


def state(model: nn.Module) -> dict:
    """All of a network that a call must leave alone, but for the layer that it writes."""
    modules = dict(model.named_modules())
    return {
        "values": {
            name: value.clone()
            for name, value in [*model.named_parameters(), *model.named_buffers()]
        },
        "modes": {name: module.training for name, module in modules.items()},
        "frozen": {name: value.requires_grad for name, value in model.named_parameters()},
        "hooks": {
            name: (len(module._forward_hooks), len(module._forward_pre_hooks))
            for name, module in modules.items()
        },
        "random": torch.get_rng_state(),
    }  # fmt: skip


def faults(model: nn.Module, images: Tensor, method: str) -> tuple[str, list[str]]:
    """What was written, and all that is wrong with it; ValueError where patchinit refuses."""
    before, there = state(model), stem(model, images[:2])
    bank = initialize_first_layer_(
        model, images, method, norm="keep", too_many="fill", max_patches=5000,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    after, now = state(model), stem(model, images[:2])
    weight = f"{bank.layer}.weight"
    wrong = [what for what in before if what not in ("values", "random")
             if before[what] != after[what]]  # fmt: skip
    if not torch.equal(before["random"], after["random"]):
        wrong.append("random numbers")
    others = before["values"].keys() - {weight, f"{bank.layer}.bias"}
    wrong += [
        name for name in others if not torch.equal(before["values"][name], after["values"][name])
    ]
    largest = max(there, key=lambda name: (there[name][0, 0].numel(), len(there[name])))
    if weight != largest:
        wrong.append(f"wrote {weight} instead of {largest}")
    elif (now[weight] - bank.filters).abs().max() > 1e-5 * bank.filters.abs().max():
        wrong.append("convolves with something else")
    return f"{bank.layer} {tuple(bank.filters.shape)}", wrong


def smallest(module: str) -> str:
    """A small network of a module: the one of fewest parameters among two with such names."""
    names = timm.list_models(module=module)
    names = sorted(names, key=lambda name: (not _SMALL.search(name), len(name)))[:2]
    sizes = {}
    for name in names:
        with torch.device("meta"):
            sizes[name] = sum(value.numel() for value in timm.create_model(name).parameters())
    return min(sizes, key=lambda name: sizes[name])


def fitting(model: nn.Module, generator: torch.Generator) -> Tensor:
    """Images that the network runs on: smooth, with some noise so that no direction is empty."""
    channels, *own = model.default_cfg.get("input_size", (3, 224, 224))
    error = None
    for height, width in ((64, 64), (128, 128), own):
        n = 16 if height < 200 else 8
        coarse = torch.rand(n, channels, 9, 9, generator=generator)
        images = nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")
        images = images + 0.2 * torch.randn(images.shape, generator=generator)
        try:
            stem(model, images[:2])
            return images
        except Exception as failure:
            error = failure
    raise RuntimeError(f"does not run by itself: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="principal_components")
    parser.add_argument("--millions", type=float, default=60, help="of parameters, at most")
    parser.add_argument("networks", nargs="*", help="or modules; by default all modules")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results, reasons = Counter(), Counter()
    print(f"timm {timm.__version__}, torch {torch.__version__}, {options.method}")
    for choice in options.networks or timm.list_modules():
        name, text = choice, ""
        start = time.process_time()
        torch.manual_seed(0)
        try:
            if choice in timm.list_modules():
                name = smallest(choice)
            model = timm.create_model(name, pretrained=False)
            if sum(value.numel() for value in model.parameters()) > 1e6 * options.millions:
                raise RuntimeError("too large")
            images = fitting(model, torch.Generator().manual_seed(0))
        except Exception as error:
            result, text = "left out", str(error)[:100]
        else:
            try:
                text, wrong = faults(model, images, options.method)
                result = "wrong" if wrong else "written"
                text += "".join(f"; {what}" for what in wrong[:5])
            except ValueError as error:
                result, text = "refused", str(error)
                reasons[re.sub(r"'[^']*'|\d+", "…", text)[:90]] += 1
            except Exception as error:
                result, text = "wrong", f"{type(error).__name__}: {error}"
        results[result] += 1
        print(
            f"{result:8} {choice:24} {name:36} {' '.join(text.split())[:160]} "
            f"({time.process_time() - start:.0f} CPU s)",
            flush=True,
        )
    print()
    for result, count in results.most_common():
        print(f"{count:4} {result}")
    for reason, count in reasons.most_common():
        print(f"{count:4} refused: {reason}")


if __name__ == "__main__":
    main()
