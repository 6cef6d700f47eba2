"""How the layers start that no filters are learned for."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from patchinit.layers import convolutions, input_of, undisturbed
from patchinit.patches import as_float, check_images


@torch.no_grad()
def glorot_uniform_(model: nn.Module, *, generator: torch.Generator | None = None) -> nn.Module:
    """Glorot uniform weights and zero biases in every convolution and linear layer, in order.

    Returns the model. The paper's start for all layers but the first (section 4.2.4).

    References
    ----------
    Glorot and Bengio (2010).

    Examples
    --------
    >>> layer = glorot_uniform_(nn.Conv2d(3, 27, 3), generator=torch.Generator().manual_seed(0))
    >>> fan_in, fan_out = 3 * 9, 27 * 9
    >>> bool(layer.weight.abs().max() <= (6 / (fan_in + fan_out)) ** 0.5)
    True
    """
    return _fill_(model, nn.init.xavier_uniform_, generator)


@torch.no_grad()
def orthogonal_(model: nn.Module, *, generator: torch.Generator | None = None) -> nn.Module:
    """Orthogonal weights and zero biases in every convolution and linear layer, in order.

    Returns the model.

    References
    ----------
    Saxe, McClelland and Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks".
    """
    return _fill_(model, nn.init.orthogonal_, generator)


def _fill_(
    model: nn.Module, fill: Callable[..., Tensor], generator: torch.Generator | None
) -> nn.Module:
    """Fill every convolution's and linear layer's weight, in order; biases become zero."""
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            if "weight" not in module._parameters:
                raise ValueError(
                    f"layer {name!r} recomputes its weight (weight normalisation, a "
                    "parametrisation); start it before it gets that"
                )
            fill(module.weight, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
    return model


@torch.no_grad()
def lsuv_(
    model: nn.Module, images: Tensor, *, generator: torch.Generator | None = None
) -> nn.Module:
    """Orthogonal weights, then each 2-D convolution's divided by its outputs' standard deviation.

    Layer-sequential unit variance: layer by layer, with those before it already scaled. One
    division is exact, for a convolution is linear (the biases are zero). Linear layers, as the
    head, keep their orthogonal weights, while Mishkin and Matas scale them too: "LSUV, of
    convolutions only" is what tables call it. Batch normalisation goes by these images, as in the
    first step of training. Returns the model.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W)
        What the variance is measured on.

    References
    ----------
    Mishkin and Matas (2016), "All you need is a good init".

    Examples
    --------
    >>> model, images = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), torch.rand(9, 3, 16, 16)
    >>> round(lsuv_(model, images)[0](images).std().item(), 3)
    1.0
    """
    orthogonal_(model, generator=generator)
    images = as_float(check_images(images))
    with undisturbed(model):
        for name, layer in convolutions(model, images[:2]):
            outputs = layer(input_of(model, layer, images))
            deviation = outputs.std()
            if not 0 < deviation < float("inf"):
                raise ValueError(
                    f"layer {name!r} has outputs of standard deviation {deviation}; "
                    "use other images"
                )
            cast(Tensor, layer.weight).div_(deviation)
    return model
