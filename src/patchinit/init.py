"""Write filters into layers, in place, in the manner of ``torch.nn.init``.

A trailing underscore means in place, under ``no_grad``, with the tensor returned. The two
``initialize_*_`` functions find the layers themselves and work on any network.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from .filters.bank import FilterBank, check_norm, with_norm
from .filters.methods import MAX_PATCHES, Method, bank_of, make_filters, method_of
from .layers import convolutions, input_of, undisturbed
from .patches import as_float, check_images


@torch.no_grad()
def set_filters_(layer: nn.Conv2d, bank: FilterBank | Tensor) -> Tensor:
    """Copy filters into a convolution, set its bias to zero, return its weight.

    Raises ValueError if the shape differs from the weight's.

    Examples
    --------
    >>> convolution = torch.nn.Conv2d(1, 2, 3)
    >>> set_filters_(convolution, torch.ones(2, 1, 3, 3)).shape
    torch.Size([2, 1, 3, 3])
    >>> convolution.bias.tolist()
    [0.0, 0.0]
    """
    values = bank.filters if isinstance(bank, FilterBank) else bank
    if values.shape != layer.weight.shape:
        raise ValueError(
            f"filters have shape {tuple(values.shape)}, "
            f"the layer's weight {tuple(layer.weight.shape)}"
        )
    layer.weight.copy_(values)
    if layer.bias is not None:
        layer.bias.zero_()
    return layer.weight


@torch.no_grad()
def from_images_(
    weight: Tensor,
    images: Tensor,
    method: str = "principal_components",
    *,
    norm: float | str = "own",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill a convolution's weight with filters learned from images.

    Parameters
    ----------
    weight : Tensor of shape (F, C, kh, kw)
    images : Tensor of shape (N, C, H, W)
        As the layer will see them: same channels, same scaling.
    method, norm, generator
        As for `make_filters`.

    Examples
    --------
    >>> convolution = torch.nn.Conv2d(3, 8, 3)
    >>> from_images_(convolution.weight, torch.rand(5, 3, 16, 16), "kmeans").shape
    torch.Size([8, 3, 3, 3])
    """
    bank = make_filters(method, images, weight.shape, norm=norm, generator=generator)
    return weight.copy_(bank.filters)


def initialize_first_layer_(
    model: nn.Module,
    images: Tensor,
    method: str = "principal_components",
    *,
    norm: float | str = "own",
    generator: torch.Generator | None = None,
    max_patches: int = MAX_PATCHES,
) -> FilterBank:
    """Initialise the first convolution that a network runs from patches of images.

    Parameters
    ----------
    model : nn.Module
        Any network. "First" is what runs first on the images, whatever the order of definition.
    images : Tensor of shape (N, C, H, W)
        Images as the network is fed them; uint8 is divided by 255. The paper uses 100. What stands
        before the convolution (a normalisation, say) is applied to them.
    method : str
        One of `METHODS`.
    norm : float, "own", "raw" or "keep"
        Norm of each filter. A number, "own" or "raw": as for `make_filters`. "keep": the mean norm
        of the filters that are replaced, which keeps the scale that the network was tuned for.
    generator : torch.Generator, optional
    max_patches : int
        As for `make_filters`.

    Returns
    -------
    FilterBank
        What was written. The bias is set to zero; buffers and train mode are left as they were.

    Raises
    ------
    ValueError
        An unknown method or norm; no convolution; a grouped or 1-D (or 3-D) one; what the method
        refuses.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 5), torch.nn.ReLU())
    >>> bank = initialize_first_layer_(model, torch.rand(10, 3, 32, 32), norm="keep")
    >>> torch.equal(model[0].weight, bank.filters)
    True
    """
    chosen = method_of(method)
    check_norm(norm, "own", "raw", "keep")
    check_images(images)
    probe = as_float(images[:2])
    with undisturbed(model):
        name, found = convolutions(model, probe, first_only=True)[0]
        layer = _plain(name, found)
        inputs = images  # not copied, and uint8 stays so, where the layer sees them as they are
        if not torch.equal(input_of(model, layer, probe).cpu(), probe.cpu()):
            parts = [input_of(model, layer, as_float(part)) for part in images.split(100)]
            inputs = check_images(torch.cat(parts))
    bank = _bank_for(layer, inputs, chosen, norm, generator, max_patches)
    set_filters_(layer, bank)
    return bank


def initialize_all_layers_(
    model: nn.Module,
    images: Tensor,
    method: str = "principal_components",
    *,
    norm: float | str = "own",
    generator: torch.Generator | None = None,
    max_patches: int = MAX_PATCHES,
    too_many: str = "error",
) -> dict[str, FilterBank]:
    """Initialise every convolution in turn, each from the feature maps that reach it (section 3.1).

    The maps are computed with the layers before it already initialised, and with batch
    normalisation by the statistics of these images, as in the first step of training. All images
    go through at once: 100 are enough for the paper.

    Parameters
    ----------
    model, images, method, norm, generator, max_patches
        As for `initialize_first_layer_`.
    too_many : {"error", "keep"}
        What to do with a layer of more filters than C*kh*kw where the method can't give that many
        (components, orthonormal filters): refuse, or leave the layer as it is.

    Returns
    -------
    dict of str to FilterBank
        By the layer's name, in the order of execution; layers left as they were are absent.

    Raises
    ------
    ValueError
        As `initialize_first_layer_`, for any layer; the text names it. The model is then as it was.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 9, 3))
    >>> banks = initialize_all_layers_(model, torch.rand(10, 3, 32, 32))
    >>> {name: tuple(bank.filters.shape) for name, bank in banks.items()}
    {'0': (8, 3, 3, 3), '1': (9, 8, 3, 3)}
    """
    chosen = method_of(method)
    check_norm(norm, "own", "raw", "keep")
    if too_many not in ("error", "keep"):
        raise ValueError(f"too_many={too_many!r} should be 'error' or 'keep'")
    images = as_float(check_images(images))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    banks = {}
    try:
        with undisturbed(model):
            found = convolutions(model, images[:2])
            for name, layer in [(name, _plain(name, layer)) for name, layer in found]:
                beyond = chosen.bounded and len(layer.weight) > layer.weight[0].numel()
                if too_many == "keep" and beyond:
                    continue
                try:
                    inputs = check_images(input_of(model, layer, images))
                    bank = _bank_for(layer, inputs, chosen, norm, generator, max_patches)
                except ValueError as error:
                    way_out = ". too_many='keep' leaves such layers alone" if beyond else ""
                    raise ValueError(f"layer {name!r}: {error}{way_out}") from error
                set_filters_(layer, bank)
                banks[name] = bank
    except BaseException:
        model.load_state_dict(before)  # all or nothing
        raise
    return banks


def _bank_for(
    layer: nn.Conv2d,
    inputs: Tensor,
    method: Method,
    norm: float | str,
    generator: torch.Generator | None,
    max_patches: int,
) -> FilterBank:
    """The layer's new filters from its checked inputs (N, C, H, W)."""
    # A map smaller than the kernel has no patch without the layer's own padding.
    spans = [d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    if (
        any(size < span for size, span in zip(inputs.shape[-2:], spans, strict=True))
        and layer.padding != "valid"
    ):
        sides = layer._reversed_padding_repeated_twice
        inputs = nn.functional.pad(inputs, sides)
    kept = layer.weight.detach().flatten(1).norm(dim=1).mean().item() if norm == "keep" else None
    if kept == 0:
        raise ValueError("norm='keep', but all filters of the layer are zero; pass a number")
    bank = bank_of(
        method, inputs.cpu(), layer.weight.shape, norm="own" if kept else norm,
        generator=generator, max_patches=max_patches, dilation=layer.dilation[0],
    )  # fmt: skip
    return replace(bank, filters=with_norm(bank.filters, kept)) if kept else bank


def _plain(name: str, layer: nn.Module) -> nn.Conv2d:
    """The layer, if patches can make its filters; else ValueError."""
    if not isinstance(layer, nn.Conv2d):
        raise ValueError(
            f"layer {name!r} is a {type(layer).__name__}; only 2-D convolutions take image patches"
        )
    if layer.groups != 1:
        raise ValueError(
            f"layer {name!r} is grouped (groups={layer.groups}), so its filters see only part "
            "of the channels; initialise it by hand with set_filters_, "
            "or use a network without groups"
        )
    if layer.dilation[0] != layer.dilation[1]:
        raise ValueError(
            f"layer {name!r} has dilation={layer.dilation}; only equal ones down and across "
            "are known to the patches; initialise it by hand with set_filters_"
        )
    return layer
