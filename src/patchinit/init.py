"""Write filters into layers, in place, in the manner of ``torch.nn.init``.

A trailing underscore means in place, under ``no_grad``, with the tensor returned. The two
``initialize_*_`` functions find the layers themselves and work on any network.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize
from torch.nn.utils.weight_norm import WeightNorm

from .filters.bank import FilterBank, TooManyFilters, check_norm, with_norm
from .filters.methods import MAX_PATCHES, Method, bank_of, make_filters, method_of
from .layers import (
    SavedState,
    check_model,
    convolutions,
    first_input,
    input_of_all_calls,
    inputs_of,
    takes_bytes,
    undisturbed,
    used_weight,
)
from .patches import (
    as_float,
    check_batches,
    check_generator,
    check_images,
    is_stream,
    output_size,
    plain_arithmetic,
)
from .stem import Stem, named_layer, plain, refuse_adapters, stem_of, warn_of_normalisation


@plain_arithmetic(gradients=False)
def set_filters_(layer: nn.Conv2d, bank: FilterBank | Tensor) -> Tensor:
    """Copy filters into a convolution, set its bias to zero, return its weight.

    A weight that is recomputed from other parameters (weight normalisation, a parametrisation of
    ``torch.nn.utils.parametrize``) is written through them where they can hold the filters, and
    refused where the layer's weight would be another one (spectral normalisation, a pruned weight).
    A frozen weight (``requires_grad=False``) is written as well, and stays frozen.

    Parameters
    ----------
    layer : nn.Conv2d
        Or any module with a weight, also a grouped or a transposed convolution; on any device, of
        any floating-point dtype.
    bank : FilterBank or Tensor of the weight's shape
        On any device, of any floating-point dtype; the values are converted.

    Raises
    ------
    TypeError, ValueError
        Not a tensor; another shape than the weight's; a weight without values (lazy, meta device)
        or that can't be written. The layer is then as it was.

    Examples
    --------
    >>> convolution = torch.nn.Conv2d(1, 2, 3)
    >>> set_filters_(convolution, torch.ones(2, 1, 3, 3)).shape
    torch.Size([2, 1, 3, 3])
    >>> convolution.bias.tolist()
    [0.0, 0.0]
    """
    values = bank.filters if isinstance(bank, FilterBank) else bank
    if not isinstance(values, Tensor):
        raise TypeError(f"filters are a {type(values).__name__}; pass a FilterBank or a Tensor")
    if not isinstance(layer, nn.Module):
        raise TypeError(f"layer is a {type(layer).__name__}; pass a convolution, as model.conv1")
    if not values.is_floating_point() or values.is_meta:
        what = f"dtype {values.dtype} on {values.device}"
        raise TypeError(f"filters have {what}; pass floating point with values, as filters.float()")
    return _set_(layer, values)


def _set_(layer: nn.Conv2d, values: Tensor, n_new: int | None = None) -> Tensor:
    """`set_filters_` of a tensor; where n_new is given, only of that many filters."""
    state = SavedState(layer.modules(), parameters=True)
    try:
        weight = getattr(layer, "weight", None)  # which may compute it, and draw
        if not isinstance(weight, Tensor):
            kind = type(layer).__name__
            raise TypeError(
                f"layer is a {kind} without a weight; pass a convolution, as model.conv1"
            )
        _check_weight(weight)
        if values.shape != weight.shape:
            shapes = tuple(values.shape), tuple(weight.shape)
            raise ValueError("filters have shape {}, the layer's weight {}".format(*shapes))
        if not as_float(values.to(weight.dtype)).isfinite().all():
            raise ValueError(
                f"filters hold NaN or infinite values, or such as {weight.dtype} can't hold; "
                "repair or scale them first"
            )
        if n_new is not None and n_new < len(weight):  # the others with all their digits
            others = weight.detach()[n_new:]
            values = torch.cat([values[:n_new].to(others), others])
        _write_(layer, "weight", values)
        if layer.bias is not None:
            bias = layer.bias.detach().clone()
            bias[:n_new] = 0
            _write_(layer, "bias", bias)
    except BaseException:
        state.restore()
        raise
    return layer.weight


def _check_weight(weight: Tensor) -> None:
    """ValueError unless a weight holds floating-point values that can be written."""
    why = ""
    if isinstance(weight, UninitializedParameter):
        why = "is lazy and has no shape yet; run the network once on some images"
    elif weight.is_meta:
        why = (
            "is on the meta device, which holds no values; "
            "give it values first: model.to_empty(device='cpu')"
        )
    elif weight.is_inference() and not torch.is_inference_mode_enabled():
        why = (
            "was made in inference mode and can't be written outside of it; "
            "call this within torch.inference_mode(), or make the network without"
        )
    elif not weight.is_floating_point():
        why = f"has dtype {weight.dtype}; filters need floating point"
    if why:
        raise ValueError(f"the layer's weight {why}")


def _write_(layer: nn.Conv2d, name: str, values: Tensor) -> None:
    """Write a weight or bias, through what it is recomputed from; half done where it raises."""
    hooks = list(layer._forward_pre_hooks.values())
    normed = [hook for hook in hooks if isinstance(hook, WeightNorm) and hook.name == name]
    how = ", ".join(type(hook).__name__ for hook in hooks) or "it is no parameter"
    if parametrize.is_parametrized(layer, name):
        # Named before they are used: a parametrisation may fail in any way.
        steps: Any = layer.parametrizations
        how = ", ".join(type(step).__name__ for step in steps[name])
        try:
            setattr(layer, name, values.to(getattr(layer, name)))
        except Exception as error:
            raise ValueError(_recomputed(layer, name, how)) from error
    elif normed:
        getattr(layer, f"{name}_v").copy_(values)
        getattr(layer, f"{name}_g").copy_(torch.norm_except_dim(values, 2, normed[0].dim))
        with torch.enable_grad():
            setattr(layer, name, normed[0].compute_weight(layer))
    elif (parameter := layer._parameters.get(name)) is not None:
        parameter.copy_(values)
    else:
        raise ValueError(_recomputed(layer, name, how))
    if not _close(getattr(layer, name), values):
        raise ValueError(_recomputed(layer, name, how))


def _recomputed(layer: nn.Conv2d, name: str, how: str, way_out: str = "") -> str:
    """Why a weight can't be set."""
    before = "set them before the layer gets its normalisation, parametrisation or mask, or take it"
    return (
        f"the {name} of this {type(layer).__name__} is recomputed from other values ({how}) and "
        f"can't be made equal to these filters; {way_out or f'{before} off first'}"
    )


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether two are equal up to the rounding of the coarser dtype."""
    eps = max(torch.finfo(value.dtype).eps for value in (one, other))
    one, other = one.detach().cpu().double(), other.detach().cpu().double()
    if one.shape != other.shape:
        return False
    # Not allclose: a value near zero may be off by a rounding of the large ones.
    return bool((one - other).abs().max() <= 16 * eps * other.abs().max())


@plain_arithmetic(gradients=False)
def from_images_(
    weight: Tensor,
    images: Tensor | Iterable,
    method: str = "principal_components",
    *,
    norm: float | str = "own",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill a convolution's weight with filters learned from images.

    Raises as `make_filters` does, and for a weight that is computed from others or has no values.

    Parameters
    ----------
    weight : Tensor of shape (F, C, kh, kw)
        A parameter, or a tensor of one's own, on any device and of any floating-point dtype. The
        weight of a layer that recomputes it (weight normalisation, a parametrisation) is a passing
        result, and refused unless it was read under ``no_grad``: use `set_filters_` there.
    images : Tensor of shape (N, C, H, W), or an iterable of such batches
        As the layer will see them: same channels, same scaling. Types and devices as for
        `make_filters`.
    method, norm, generator
        As for `make_filters`.

    Examples
    --------
    >>> convolution = torch.nn.Conv2d(3, 8, 3)
    >>> from_images_(convolution.weight, torch.rand(5, 3, 16, 16), "kmeans").shape
    torch.Size([8, 3, 3, 3])
    """
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight is a {type(weight).__name__}; pass layer.weight")
    _check_weight(weight)
    if not weight.is_leaf:
        raise ValueError(
            "weight is computed from other tensors (weight normalisation, a parametrisation), so "
            "what is written there is lost; use set_filters_(layer, make_filters(...))"
        )
    bank = make_filters(method, images, weight.shape, norm=norm, generator=generator)
    return weight.copy_(bank.filters)


@torch.no_grad()
def initialize_first_layer_(
    model: nn.Module,
    images: Tensor | Iterable,
    method: str = "principal_components",
    *,
    norm: float | str = "own",
    generator: torch.Generator | None = None,
    layer: str | None = None,
    too_many: str = "error",
    both_signs: bool = False,
    max_patches: int = MAX_PATCHES,
    stride: int | None = None,
    eps: float | None = None,
    feature_standardize: bool | None = None,
) -> FilterBank:
    """Initialise the first convolution that a network runs from patches of images.

    Where the network feeds several convolutions what the first is fed (parallel branches, as of
    RepVGG, MobileOne and FastViT), they are one stem, and that of the largest kernel is written.

    Parameters
    ----------
    model : nn.Module
        Any network that runs on images alone, on any device and of any floating-point dtype, also a
        compiled one or one inside ``DataParallel``. "First" is what runs first on the images. A
        convolution without a layer counts as well, unless its weight is a buffer or holds nothing
        to learn, as a blur's; so does a frozen layer, which stays frozen.
    images : Tensor of shape (N, C, H, W), or an iterable of such batches
        Images as the network is fed them, on any device; uint8 or any floating point. uint8 goes
        in as it is where the network takes it and converts it itself, else divided by 255. The
        network gets copies, floating point in the dtype of its convolutions. The paper uses 100.
        An iterable, as a DataLoader, is gone through once (see `make_filters`); its first batch
        shows which layer is the first, and how far apart patches are cut.
        What stands before the convolution (as a normalisation) is applied to them, to as many at
        a time as hold 33 million values, and at most 100.
    method : str
        One of `METHODS`.
    norm : float, "own", "raw" or "keep"
        Norm of each filter. A number, "own" or "raw": as for `make_filters`. "keep": the mean norm
        of the layer's filters, which keeps the scale that the network was tuned for.
    generator : torch.Generator, optional
    layer : str, optional
        Name of the convolution to write, out of ``model.named_modules()``. It may be any, and
        learns from what reaches it.
    too_many : {"error", "keep", "fill"}
        What to do where the layer has more filters than components, whitening or an orthonormal
        basis can give. "keep": the first filters get what there is, the others and their biases
        stay as they were. "fill": the others become the negatives of those, and then random
        orthonormal filters of the same mean norm.
    both_signs : bool
        As for `make_filters`.
    max_patches, eps, feature_standardize
        As for `make_filters`.
    stride : int, optional
        Of the patches, at least 1. By default 1; but where the layer's own stride leaves no overlap
        (a patch embedding) that one, or half, a quarter, ... of it, until there are ten patches for
        each value of a patch.

    Returns
    -------
    FilterBank
        What was written: all filters of the layer, its name in ``layer``, convolutions fed the same
        tensor in ``beside``, and in ``parts`` what the filters are if they are not all the
        method's own. The bias is set to zero; buffers and train mode are left as they were.

    Warns
    -----
    UserWarning
        A normalisation behind the layer does not start at weight 1 and bias 0.

    Raises
    ------
    TypeError, ValueError
        As `make_filters` and `set_filters_`; no convolution; a first one that is grouped,
        transposed, 1-D or 3-D, or not made by a layer; one to which an adapter adds another, or
        that convolves with something else than its weight; no convolution of the name; a network
        that is scripted, on the meta device, or takes more than images. The text names the layer.
        The model is then as it was; only lazy layers have their sizes.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 5), torch.nn.ReLU())
    >>> bank = initialize_first_layer_(model, torch.rand(10, 3, 32, 32), norm="keep")
    >>> torch.equal(model[0].weight, bank.filters), bank.layer
    (True, '0')
    >>> bank = initialize_first_layer_(torch.nn.Conv2d(1, 12, 2), torch.rand(9, 1, 8, 8),
    ...                                too_many="fill")
    >>> bank.parts
    (('principal_components', 4), ('principal_components, negative', 4), ('random_orthonormal', 4))
    """
    chosen = method_of(method)
    check_norm(norm, "own", "raw", "keep")
    check_generator(generator)
    if too_many not in ("error", "keep", "fill"):
        raise ValueError(f"too_many={too_many!r} should be 'error', 'keep' or 'fill'")
    way_out = ". too_many='keep' leaves the other filters alone, too_many='fill' adds to these"
    way_out *= chosen.bounded and too_many == "error"
    streamed = is_stream(images)
    batches = check_batches(images) if streamed else iter([check_images(images)])
    first = next(batches)
    check_model(model)
    as_bytes = takes_bytes(model, first[:2])
    probe = first[:2] if as_bytes else as_float(first[:2])
    with undisturbed(model, probe) as state:
        name, stem = _chosen_layer(model, probe, layer)
        state.restore()  # that went through the whole network
        found = plain(name, stem.layers[name])
        refuse_adapters(model, stem, name)
        with _naming(name, way_out):
            inputs = first_input(model, found, first, as_bytes)
            if stride is None:
                n_batches = len(images) if streamed and isinstance(images, Sized) else 1
                stride = _own_stride(found, inputs, n_batches * len(inputs))
            rest = (first_input(model, found, batch, as_bytes) for batch in batches)
            bank = _bank_for(
                found, chain([inputs], rest) if streamed else inputs,
                chosen, norm, generator, max_patches, stride,
                both_signs=both_signs, too_many=too_many,
                eps=eps, feature_standardize=feature_standardize,
            )  # fmt: skip
            warn_of_normalisation(stem, name, stacklevel=3)
            bank = _set_in_(model, found, bank, probe, name)
        state.keep(found)
    return replace(bank, beside=tuple(other for other in stem.layers if other != name))


def _chosen_layer(model: nn.Module, probe: Tensor, name: str | None) -> tuple[str, Stem]:
    """Name of the layer to write, and the stem that it is a part of."""
    if name is None:
        stem = stem_of(model, convolutions(model, probe, first_only=True)[0][1], probe)
        return stem.largest(), stem
    layer = named_layer(model, name)
    with _naming(name):
        return name, stem_of(model, layer, probe, inputs_of(model, layer, probe)[0].clone())


def _set_in_(
    model: nn.Module, layer: nn.Conv2d, bank: FilterBank, probe: Tensor, name: str
) -> FilterBank:
    """`set_filters_`, unless the layer convolves with something else in a pass of the network.

    Filters of the layer that the bank has none for stay as they were. Returns the bank of all.
    """
    state = SavedState(layer.modules(), parameters=True)
    n_new, kept = len(bank), layer.weight.detach()[len(bank) :]
    if len(kept):
        parts = *(bank.parts or ((bank.method, n_new),)), ("as it was", len(kept))
        filters = torch.cat([bank.filters, kept.float().cpu()])
        bank = replace(bank, filters=filters, parts=parts)
    _set_(layer, bank.filters, n_new)
    used = used_weight(model, layer, probe)
    if used is not None and not _close(used, bank.filters):
        state.restore()
        way_out = _all_the_same(used, bank, name)
        raise ValueError(_recomputed(layer, "weight", "its forward pass, or a hook", way_out))
    return replace(bank, layer=name)


def _all_the_same(used: Tensor, bank: FilterBank, name: str) -> str:
    """What can be done where a layer recomputes its weight."""
    way_out = "put a plain Conv2d there, or merge what recomputes it or take it off first"
    if used.shape != bank.filters.shape:
        return way_out
    made, asked = used.cpu().double().flatten(1), bank.filters.double().flatten(1)
    cosine = nn.functional.cosine_similarity(made, asked).min()
    if cosine < 0.9:
        return way_out
    return (
        f"{way_out}. Its own would have cosines of at least {cosine:.3f} to these, and norms of "
        f"{made.norm(dim=1).mean():.2g}; if that will do, "
        f"set_filters_(model.get_submodule({name!r}), make_filters(...)) writes them"
    )


@torch.no_grad()
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

    The layers before it are already initialised, and batch normalisation goes by the statistics of
    these images, as in the first step of training. All images go through at once: 100 are enough
    for the paper. A layer that is used several times learns from the maps of all its calls that are
    of the first one's size; a weight that is tied to several layers is made for the first of them.
    Patches are as far apart as `initialize_first_layer_` has them by default.
    Raises as `initialize_first_layer_` does, for any layer; the model is then as it was.

    Parameters
    ----------
    model, images, method, norm, generator, max_patches
        As for `initialize_first_layer_`.
    too_many : {"error", "keep"}
        What to do with a layer of more filters than the method can give (see `make_filters`):
        refuse, or leave the layer as it is.

    Returns
    -------
    dict of str to FilterBank
        By the layer's name, in the order of execution; layers left as they were are absent.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 9, 3))
    >>> banks = initialize_all_layers_(model, torch.rand(10, 3, 32, 32))
    >>> {name: tuple(bank.filters.shape) for name, bank in banks.items()}
    {'0': (8, 3, 3, 3), '1': (9, 8, 3, 3)}
    """
    chosen = method_of(method)
    check_norm(norm, "own", "raw", "keep")
    check_generator(generator)
    if too_many not in ("error", "keep"):
        raise ValueError(f"too_many={too_many!r} should be 'error' or 'keep'")
    if is_stream(images):
        raise TypeError(
            f"images is a {type(images).__name__}; all images go through all layers at once here, "
            "so pass one tensor (N, C, H, W), as torch.cat of some batches"
        )
    check_images(images)
    check_model(model)
    if not takes_bytes(model, images[:2]):
        images = as_float(images)
    way_out = ". too_many='keep' leaves such layers alone" if chosen.bounded else ""
    banks: dict[str, FilterBank] = {}
    written: list[nn.Conv2d] = []
    before = None
    try:
        with undisturbed(model, images[:2]) as state:
            before = SavedState(model.modules(), parameters=True)
            found = convolutions(model, images[:2])
            for name, layer in [(name, plain(name, layer)) for name, layer in found]:
                if any(layer.weight is other.weight for other in written):
                    continue  # one weight, tied to several layers: the first has made it
                too_large = chosen.bounded and len(layer.weight) > layer.weight[0].numel()
                if too_many == "keep" and too_large:
                    continue
                try:
                    with _naming(name, way_out):
                        inputs = input_of_all_calls(model, layer, images)
                        bank = _bank_for(
                            layer, inputs.to(images.device), chosen, norm, generator, max_patches,
                            _own_stride(layer, inputs, len(inputs)),
                        )  # fmt: skip
                        bank = _set_in_(model, layer, bank, images[:2], name)
                except TooManyFilters:
                    if too_many == "keep" and chosen.bounded:
                        continue
                    raise
                state.keep(layer)
                written.append(layer)
                banks[name] = bank
    except BaseException:
        if before is not None:
            before.restore()  # all or nothing
        raise
    return banks


@contextmanager
def _naming(name: str, way_out: str = "") -> Iterator[None]:
    """Errors name the layer; that there are too many filters, the way out as well."""
    try:
        yield
    except TooManyFilters as error:
        raise TooManyFilters(f"layer {name!r}: {error}{way_out}", error.limit) from error
    except ValueError as error:
        raise ValueError(f"layer {name!r}: {error}") from error


def _bank_for(
    layer: nn.Conv2d,
    inputs: Tensor | Iterable[Tensor],
    method: Method,
    norm: float | str,
    generator: torch.Generator | None,
    max_patches: int,
    stride: int,
    **further: Any,
) -> FilterBank:
    """The layer's new filters from its checked inputs (N, C, H, W); further go to `bank_of`."""
    kept = None
    if norm == "keep":
        kept = as_float(layer.weight.detach()).flatten(1).norm(dim=1).mean().item()
        if kept == 0 or not math.isfinite(kept):
            what = "all filters of the layer are zero" if kept == 0 else "its filters aren't finite"
            raise ValueError(f"norm='keep', but {what}; pass a number")
    if isinstance(inputs, Tensor):
        inputs = _padded(layer, inputs)
    else:
        inputs = (_padded(layer, part) for part in inputs)
    bank = bank_of(
        method, inputs, layer.weight.shape, norm="own" if kept else norm, generator=generator,
        max_patches=max_patches, stride=stride, dilation=layer.dilation[0], **further,
    )  # fmt: skip
    if not kept:
        return bank
    settings = bank.settings | {"norm": kept}
    return replace(bank, filters=with_norm(bank.filters, kept), settings=settings)


def _padded(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """A layer's inputs; a map smaller than the kernel has no patch without the layer's padding."""
    spans = [d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    small = any(size < span for size, span in zip(inputs.shape[-2:], spans, strict=True))
    if small and layer.padding != "valid":
        return nn.functional.pad(inputs, layer._reversed_padding_repeated_twice)
    return inputs


def _own_stride(layer: nn.Conv2d, inputs: Tensor, n: int) -> int:
    """The stride to cut patches at: 1 where the layer's own overlap, else what n inputs need."""
    inputs = _padded(layer, inputs)
    spans = [d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    if any(step < span for step, span in zip(layer.stride, spans, strict=True)):
        return 1
    (height, width), stride = layer.kernel_size, min(layer.stride)
    with suppress(ValueError):  # a kernel that does not fit is named later
        while stride > 1:
            rows, columns = output_size(inputs, (height, width), stride, layer.dilation[0])
            if n * rows * columns >= 10 * layer.weight[0].numel():
                break
            stride //= 2
    return stride
