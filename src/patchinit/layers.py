"""Find a network's convolutions, and what reaches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Hook = Callable[[nn.Module, tuple[Tensor, ...]], None]


class _Reached(Exception):
    """Ends a forward pass at the layer that was looked for."""


def convolutions(
    model: nn.Module, images: Tensor, first_only: bool = False
) -> list[tuple[str, nn.Module]]:
    """Convolutions in the order in which they run on the images, each once."""
    found: dict[str, nn.Module] = {}
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    names: dict[nn.Module, str] = {
        module: name for name, module in model.named_modules() if isinstance(module, kinds)
    }

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.setdefault(names[module], module)
        if first_only or not isinstance(module, nn.Conv2d):
            raise _Reached

    _run(model, images, {module: note for module in names})
    if not found:
        raise ValueError(
            f"{type(model).__name__} ran no convolution on these images: nothing to initialise"
        )
    return list(found.items())


def input_of(model: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    """What reaches a layer in a forward pass, shape (N, C, H, W)."""
    seen: list[Tensor] = []

    def catch(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])
        raise _Reached

    _run(model, images, {layer: catch})
    return seen[0]


def _run(model: nn.Module, images: Tensor, hooks: dict[nn.Module, Hook]) -> None:
    """A forward pass with hooks before modules, to its end or until one raises `_Reached`."""
    handles = [module.register_forward_pre_hook(hook) for module, hook in hooks.items()]
    try:
        with torch.no_grad():
            model(images.to(_device(model)))
    except _Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode but for batch normalisation; afterwards buffers and modes are as before."""
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    modes = {module: module.training for module in model.modules()}
    for module in modes:
        module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for name, value in model.named_buffers():
            value.copy_(buffers[name])
