"""Write filters into layers, in place, in the manner of ``torch.nn.init``.

A trailing underscore means in place, under ``no_grad``, with the tensor returned. The two
``initialize_*_`` functions find the layers themselves and work on any network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from . import clusters, filters
from .filters import FilterBank, with_norm
from .patches import check_images, patch_moments, sample_patches

# More patches than this change a clustering little and cost much; 100 images of 32x32 give 90,000.
MAX_PATCHES = 200_000

# method -> function of (patches or moments, n_filters, norm, generator)
_FROM_DATA: dict[str, Callable[..., FilterBank]] = {
    "principal_components": filters.principal_components,
    "kmeans": clusters.kmeans,
    "kmedoids": clusters.kmedoids,
    "kmedians": clusters.kmedians,
    "random_patches": filters.random_patches,
    "pca_whitening": filters.pca_whitening,
}
_FROM_SHAPE: dict[str, Callable[..., FilterBank]] = {
    "random_orthonormal": filters.random_orthonormal,
    "cosine_basis": filters.cosine_basis,
    "glorot_uniform": filters.glorot_uniform,
    "kaiming_normal": filters.kaiming_normal,
}
_FROM_MOMENTS = ("principal_components", "pca_whitening")
METHODS = (*_FROM_DATA, *_FROM_SHAPE)


def make_filters(
    method: str,
    images: Tensor,
    shape: tuple[int, int, int, int],
    *,
    norm: float | None = None,
    generator: torch.Generator | None = None,
    max_patches: int = MAX_PATCHES,
    stride: int = 1,
    dilation: int = 1,
) -> FilterBank:
    """A filter bank of a given shape by the method's name.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    images : Tensor of shape (N, C, H, W)
        uint8 or floating point. Unused by the methods that know nothing of the data.
    shape : tuple of int
        (F, C, kh, kw), the shape of the layer's weight.
    norm : float or None
        Euclidean norm of each filter. None: the function's default, 1 for the methods from data
        but for "pca_whitening", and the natural norm for the others.
    generator : torch.Generator, optional
    max_patches : int
        Principal components and whitening use every patch; the others at most this many, drawn
        uniformly.
    stride, dilation : int
        Of the patches.

    Raises
    ------
    ValueError
        An unknown method, other channels than the shape's, or what the method itself refuses.
    """
    options = {} if norm is None else {"norm": norm}
    if method in _FROM_SHAPE:
        return _FROM_SHAPE[method](shape, generator=generator, **options)
    if method not in _FROM_DATA:
        raise ValueError(f"method={method!r} is unknown; choose one of {', '.join(METHODS)}")
    n_filters, channels, *kernel_size = shape
    if not isinstance(images, Tensor) or images.ndim != 4:
        check_images(images)  # says what is wrong
    if images.shape[1] != channels:
        raise ValueError(
            f"images have C={images.shape[1]} channels, the layer takes {channels}; "
            "pass what it is fed"
        )
    place = {"stride": stride, "dilation": dilation}
    if method in _FROM_MOMENTS:
        standardize = method == "principal_components"
        moments = patch_moments(images, tuple(kernel_size), standardize=standardize, **place)
        return _FROM_DATA[method](moments, n_filters, **options)
    patches = sample_patches(images, tuple(kernel_size), max_patches, generator=generator, **place)
    return _FROM_DATA[method](patches, n_filters, generator=generator, **options)


@torch.no_grad()
def set_filters_(layer: nn.Conv2d, bank: FilterBank | Tensor) -> Tensor:
    """Copy filters into a convolution, set its bias to zero, return its weight.

    Raises ValueError if the shape differs from the weight's.
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
    norm: float | None = None,
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
    >>> convolution = torch.nn.Conv2d(3, 27, 3)
    >>> weight = from_images_(convolution.weight, torch.rand(10, 3, 32, 32), "kmeans")
    """
    return weight.copy_(
        make_filters(method, images, tuple(weight.shape), norm=norm, generator=generator).filters
    )


@torch.no_grad()
def glorot_uniform_(model: nn.Module, *, generator: torch.Generator | None = None) -> nn.Module:
    """Glorot uniform weights and zero biases in every convolution and linear layer, in order.

    Returns the model. The paper's start for all layers but the first (section 4.2.4).

    References
    ----------
    Glorot and Bengio (2010).
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
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
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
    division is exact, for a convolution is linear (the biases are zero). Returns the model.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W)
        What the variance is measured on.

    References
    ----------
    Mishkin and Matas (2016), "All you need is a good init".
    """
    orthogonal_(model, generator=generator)
    images = check_images(images)
    with _undisturbed(model):
        for name, layer in _convolutions(model, images[:2]):
            outputs = layer(_input_of(model, layer, images))
            deviation = outputs.std()
            if not 0 < deviation < float("inf"):
                raise ValueError(
                    f"layer {name!r} has outputs of standard deviation {deviation}; "
                    "use other images"
                )
            layer.weight.div_(deviation)
    return model


def initialize_first_layer_(
    model: nn.Module,
    images: Tensor,
    method: str = "principal_components",
    *,
    norm: float | str | None = None,
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
    norm : float, "keep" or None
        Norm of each filter. "keep": the mean norm of the filters that are replaced, which keeps the
        scale that the network was tuned for. None: as for `make_filters`.
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
        An unknown method; no convolution; a grouped or 1-D (or 3-D) one; what the method refuses.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; choose one of {', '.join(METHODS)}")
    probe = check_images(images[:2] if isinstance(images, Tensor) and images.ndim == 4 else images)
    with _undisturbed(model):
        name, layer = _convolutions(model, probe, first_only=True)[0]
        _check_layer(name, layer)
        inputs = (
            images  # not copied, and uint8 stays so, where the layer sees the images themselves
        )
        if not torch.equal(_input_of(model, layer, probe).cpu(), probe.cpu()):
            inputs = torch.cat(
                [_input_of(model, layer, check_images(part)) for part in images.split(100)]
            )
    bank = _bank_for(layer, inputs, method, norm, generator, max_patches)
    set_filters_(layer, bank)
    return bank


def initialize_all_layers_(
    model: nn.Module,
    images: Tensor,
    method: str = "principal_components",
    *,
    norm: float | str | None = None,
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
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; choose one of {', '.join(METHODS)}")
    if too_many not in ("error", "keep"):
        raise ValueError(f"too_many={too_many!r} should be 'error' or 'keep'")
    images = check_images(images)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    banks = {}
    try:
        with _undisturbed(model):
            layers = _convolutions(model, images[:2])
            for name, layer in layers:
                _check_layer(name, layer)
            for name, layer in layers:
                bounded = method in (*_FROM_MOMENTS, "random_orthonormal", "cosine_basis")
                beyond = bounded and len(layer.weight) > layer.weight[0].numel()
                if too_many == "keep" and beyond:
                    continue
                try:
                    inputs = _input_of(model, layer, images)
                    banks[name] = _bank_for(layer, inputs, method, norm, generator, max_patches)
                except ValueError as error:
                    way_out = ". too_many='keep' leaves such layers alone" if beyond else ""
                    raise ValueError(f"layer {name!r}: {error}{way_out}") from error
                set_filters_(layer, banks[name])
    except BaseException:
        model.load_state_dict(before)  # all or nothing
        raise
    return banks


def _bank_for(layer, inputs, method, norm, generator, max_patches) -> FilterBank:
    """The layer's new filters from its inputs (N, C, H, W)."""
    # A map smaller than the kernel has no patch without the layer's own padding.
    spans = [d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    if (
        any(size < span for size, span in zip(inputs.shape[-2:], spans, strict=True))
        and layer.padding != "valid"
    ):
        sides = layer._reversed_padding_repeated_twice
        inputs = nn.functional.pad(inputs, sides)
    keep = norm == "keep"
    bank = make_filters(
        method, inputs.cpu(), tuple(layer.weight.shape), norm=None if keep else norm,
        generator=generator, max_patches=max_patches, dilation=layer.dilation[0],
    )  # fmt: skip
    if keep:
        mean_norm = layer.weight.detach().flatten(1).norm(dim=1).mean().item()
        bank = replace(bank, filters=with_norm(bank.filters, mean_norm))
    return bank


def _check_layer(name: str, layer: nn.Module) -> None:
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


class _Reached(Exception):
    """Ends a forward pass at the layer that was looked for."""


def _convolutions(
    model: nn.Module, images: Tensor, first_only: bool = False
) -> list[tuple[str, nn.Module]]:
    """Convolutions in the order in which they run on the images, each once."""
    found: dict[str, nn.Module] = {}
    handles = []
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    for name, module in model.named_modules():
        if isinstance(module, kinds):

            def note(module, inputs, name=name):
                found.setdefault(name, module)
                if first_only or not isinstance(module, nn.Conv2d):
                    raise _Reached

            handles.append(module.register_forward_pre_hook(note))
    try:
        with torch.no_grad():
            model(images.to(_device(model)))
    except _Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError(
            f"{type(model).__name__} ran no convolution on these images: nothing to initialise"
        )
    return list(found.items())


def _input_of(model: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    """What reaches a layer in a forward pass, shape (N, C, H, W)."""
    seen = []

    def catch(module, inputs):
        seen.append(inputs[0])
        raise _Reached

    handle = layer.register_forward_pre_hook(catch)
    try:
        with torch.no_grad():
            model(images.to(_device(model)))
    except _Reached:
        pass
    finally:
        handle.remove()
    return seen[0]


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
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
