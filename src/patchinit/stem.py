"""The stem of a network: the convolutions that it feeds the same tensor, and what stands behind."""

from __future__ import annotations

import difflib
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from .layers import Hook, fed_to, run_watched

_NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Stem:
    """Convolutions that are fed the same tensor, by name, in the order in which they run."""

    layers: dict[str, nn.Module]
    #: By a layer's name: normalisations and convolutions that are fed just what it puts out.
    behind: dict[str, dict[str, nn.Module]]

    def largest(self) -> str:
        """Name of the largest kernel that patches can fill; of several the most filters."""

        def size(name: str) -> tuple[int, ...]:
            with suppress(ValueError):
                filters = plain(name, self.layers[name]).weight
                return filters[0, 0].numel(), len(filters)
            return ()

        return max(self.layers, key=size)


def stem_of(model: nn.Module, layer: nn.Module, images: Tensor, fed: Tensor | None = None) -> Stem:
    """The convolutions that are fed what a layer is, in a pass of images to its end.

    What fails behind the layer is no matter, and torch's random numbers are as before. Where other
    convolutions run before the layer, its input must be given (fed).
    """
    names = {module: name for name, module in reversed([*model.named_modules()])}
    kinds = (_ConvNd, *_NORMALISATIONS)
    watched: list[nn.Module] = [module for module in names if isinstance(module, kinds)]
    stem = Stem({}, {})
    outputs: dict[str, Tensor] = {}

    def enter(module: nn.Module, args: tuple, kwargs: dict) -> None:
        nonlocal fed
        value, name = fed_to(args, kwargs), names[module]
        if not isinstance(value, Tensor):
            return
        if module is layer and fed is None:
            fed = value.clone()  # the pass goes on, and may write there
        for other, output in outputs.items():
            if _equal(value, output):
                stem.behind[other].setdefault(name, module)
        if isinstance(module, _ConvNd) and fed is not None and _equal(value, fed):
            stem.layers.setdefault(name, module)
            stem.behind.setdefault(name, {})

    def leave(module: nn.Module, args: tuple, output: Any) -> None:
        if names[module] in stem.layers and isinstance(output, Tensor):
            outputs.setdefault(names[module], output.clone())

    before: dict[nn.Module, Hook] = dict.fromkeys(watched, enter)
    after: dict[nn.Module, Any] = {m: leave for m in watched if isinstance(m, _ConvNd)}
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(sorted(devices)), suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_watched(model, images, before, after)
    return stem if names[layer] in stem.layers else Stem({names[layer]: layer}, {names[layer]: {}})


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)


def named_layer(model: nn.Module, name: str) -> nn.Module:
    """The convolution of a name; ValueError, with its near misses, if there is none."""
    modules = dict(model.named_modules())
    found = modules.get(name)
    if isinstance(found, _ConvNd):
        return found
    names = [other for other, module in modules.items() if isinstance(module, _ConvNd)]
    within = [other for other in names if other.startswith(f"{name}.")]
    near = within or difflib.get_close_matches(str(name), names, cutoff=0.4) or names
    what = "a name" if found is None else f"a {type(found).__name__}"
    raise ValueError(
        f"layer={name!r} is {what} and no convolution of this {type(model).__name__}; nearest in "
        f"its named_modules(): {', '.join(map(repr, near[:5])) or 'none'}"
    )


def plain(name: str, layer: nn.Module) -> nn.Conv2d:
    """The layer, if patches can make its filters; else ValueError."""
    if not isinstance(layer, nn.Conv2d):
        kind = type(layer).__name__
        raise ValueError(f"layer {name!r} is a {kind}; only 2-D convolutions take image patches")
    if layer.groups != 1:
        raise ValueError(
            f"layer {name!r} is grouped (groups={layer.groups}), so its filters see only part of "
            "the channels; set them by set_filters_, or use a network without groups"
        )
    if layer.dilation[0] != layer.dilation[1]:
        raise ValueError(
            f"layer {name!r} has dilation={layer.dilation}; patches know only equal ones down and "
            "across; set its filters by set_filters_"
        )
    return layer


def refuse_adapters(model: nn.Module, stem: Stem, name: str) -> None:
    """ValueError if an adapter (LoRA) adds to what a layer puts out.

    That is a convolution beside it, of the same kernel and fewer filters, and straight behind that
    one of as many filters as the layer, with a weight that is not zero.
    """
    layer = plain(name, stem.layers[name])
    pairs = [
        (first, last)
        for first, beside in stem.layers.items()
        for last, module in stem.behind[first].items()
        if isinstance(beside, nn.Conv2d) and isinstance(module, nn.Conv2d)
        if (beside.kernel_size, beside.stride) == (layer.kernel_size, layer.stride)
        if len(beside.weight) < len(layer.weight) == len(module.weight) and module.weight.any()
    ]
    if pairs:
        kind = type(model.get_submodule(name.rpartition(".")[0])).__name__
        raise ValueError(
            f"layer {name!r} is the base of an adapter ({kind}): {pairs[0][0]!r} and "
            f"{pairs[0][1]!r} add to what it puts out, so the network would convolve with other "
            "filters than these; initialise before the adapter is put on, merge it or take it off, "
            f"or zero it: torch.nn.init.zeros_(model.get_submodule({pairs[0][1]!r}).weight)"
        )


def warn_of_normalisation(stem: Stem, name: str, stacklevel: int) -> None:
    """UserWarning if a normalisation behind a layer scales or turns its filters from the start."""
    shape = plain(name, stem.layers[name]).weight.shape[:1]
    for behind, module in stem.behind[name].items():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(module, _ConvNd) or weight is None or weight.shape != shape:
            continue
        if (weight != 1).any() or (bias is not None and bias.any()):
            turned = (weight < 0).double().mean().item()
            warnings.warn(
                f"{behind!r}, the {type(module).__name__} behind layer {name!r}, does not start at "
                f"weight 1 and bias 0: its weights are {weight.min():.2g} to {weight.max():.2g}, "
                f"and turn {turned:.0%} of the filters upside down. For filters as they are: "
                f"torch.nn.init.ones_(model.get_submodule({behind!r}).weight), zeros_ of its bias",
                stacklevel=stacklevel + 1,
            )
