"""One registry of the methods: name, label, function and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..moments import moments_of
from ..patches import (
    as_integer,
    check_batches,
    check_generator,
    check_images,
    is_stream,
    plain_arithmetic,
    some_patches,
    streamed_patches,
)
from .bank import FilterBank, TooManyFilters, check_norm, check_shape
from .baselines import (
    cosine_basis,
    glorot_uniform,
    kaiming_normal,
    random_orthonormal,
    random_patches,
)
from .clusters import kmeans, kmedians, kmedoids
from .components import pca_whitening, principal_components

# More patches than this change a clustering little and cost much; 100 images of 32x32 give 90,000.
MAX_PATCHES = 200_000
# Nor are more taken than hold this many values: some 800 MB while they are clustered.
MAX_VALUES = 40_000_000


@dataclass(frozen=True)
class Method:
    """What is known of a method by its name.

    Examples
    --------
    >>> METHODS["kmeans"].label
    'k-means'
    """

    label: str  #: in words, for tables and figures
    make: Callable[..., FilterBank]
    #: What `make` takes first: "patches", their "standardized moments" or "raw moments", or the
    #: "shape" of the bank alone.
    needs: str
    own_norm: float | None = None  #: each filter's by norm="own"; None where that is "raw"
    #: Each filter's by norm="raw", a number or "sqrt(d)"; None where it differs between filters.
    raw_norm: float | str | None = None
    bounded: bool = False  #: makes at most C*kh*kw filters
    random: bool = True  #: draws from the generator
    options: tuple[str, ...] = ()  #: arguments of `make_filters` that few methods take


#: Every method by its name, in the order of the book.
METHODS: dict[str, Method] = {
    "principal_components": Method(
        "principal components", principal_components, "standardized moments",
        own_norm=1, raw_norm=1, bounded=True, random=False, options=("feature_standardize",),
    ),
    "kmeans": Method("k-means", kmeans, "patches", own_norm=1),
    "kmedoids": Method("k-medoids", kmedoids, "patches", own_norm=1, raw_norm="sqrt(d)"),
    "kmedians": Method("k-medians", kmedians, "patches", own_norm=1),
    "random_patches": Method(
        "random patches", random_patches, "patches", own_norm=1, raw_norm="sqrt(d)"
    ),
    "pca_whitening": Method(
        "PCA whitening", pca_whitening, "raw moments", bounded=True, random=False,
        options=("eps",),
    ),
    "random_orthonormal": Method(
        "random orthonormal", random_orthonormal, "shape", own_norm=1, raw_norm=1, bounded=True
    ),
    "cosine_basis": Method(
        "cosine basis", cosine_basis, "shape",
        own_norm=1, raw_norm=1, bounded=True, random=False,
    ),
    "glorot_uniform": Method("Glorot uniform", glorot_uniform, "shape"),
    "kaiming_normal": Method("Kaiming normal", kaiming_normal, "shape"),
}  # fmt: skip


def method_of(name: str) -> Method:
    """The method of a name; ValueError, with all names, if there is none.

    Examples
    --------
    >>> method_of("pca_whitening").bounded
    True
    """
    if name not in METHODS:
        raise ValueError(f"method={name!r} is unknown; choose one of {', '.join(METHODS)}")
    return METHODS[name]


@plain_arithmetic(gradients=False)
def make_filters(
    method: str,
    images: Tensor | Iterable,
    shape: tuple[int, ...],
    *,
    norm: float | str = "own",
    generator: torch.Generator | None = None,
    max_patches: int = MAX_PATCHES,
    stride: int = 1,
    dilation: int = 1,
    both_signs: bool = False,
    eps: float | None = None,
    feature_standardize: bool | None = None,
) -> FilterBank:
    """A filter bank of a given shape by the method's name.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    images : Tensor of shape (N, C, H, W), or an iterable of such batches
        uint8 (divided by 255) or any floating point, finite, on any device, where patches are cut
        and their moments added up (an Apple GPU lacks float64: they are copied to the CPU).
        Clusters and eigenvectors are computed on the CPU. An iterable (a DataLoader, a generator)
        gives tensors or (images, labels), all of one (C, H, W) and dtype, and is gone through once,
        in bounded memory. Unused by the methods that know nothing of the data.
    shape : tuple of int
        (F, C, kh, kw), the shape of the layer's weight. F is at most what the method can give:
        the rank of the patches (components, whitening), the number of different patches (clusters,
        random patches), C*kh*kw (orthonormal filters, cosines), or any number.
    norm : float, "own" or "raw"
        A number > 0: the Euclidean norm of each filter. "raw": filters as the method computes them,
        so a centroid has its own length, and a random patch or a medoid the norm sqrt(d). "own":
        the method's own norm, which is 1, or as "raw" where `Method` says so.
    generator : torch.Generator, optional
        Of the CPU.
    max_patches : int
        At least 1. Principal components and whitening use every patch; the others at most this
        many, drawn uniformly, and no more than hold 40 million values.
    stride, dilation : int
        Of the patches, at least 1. A stride leaves patches out, which saves time.
    both_signs : bool
        F / 2 filters, and then the negative of each, in the same order: a ReLU behind them loses
        neither side. F must be even.
    eps : float, optional
        Above 0, for "pca_whitening" alone, as there: a share of the mean eigenvalue.
    feature_standardize : bool, optional
        For "principal_components" alone, as there.

    Returns
    -------
    FilterBank
        float32, on the CPU, whatever the types of the images. What is known beside the filters
        (eigenvalues, shares of clusters) is that of the filters without their negatives.

    Raises
    ------
    TypeError, ValueError
        An unknown method or norm, an option that the method doesn't take, other channels than the
        shape's, or what the method itself refuses.

    Examples
    --------
    >>> images = torch.rand(10, 3, 32, 32)
    >>> make_filters("principal_components", images, (16, 3, 5, 5)).filters.shape
    torch.Size([16, 3, 5, 5])
    >>> pairs = make_filters("pca_whitening", images, (24, 3, 2, 2), both_signs=True, eps=0.01)
    >>> torch.equal(pairs.filters[:12], -pairs.filters[12:])
    True
    """
    chosen = method_of(method)
    check_norm(norm, "own", "raw")
    if is_stream(images):
        images = check_batches(images)
    elif chosen.needs != "shape":
        check_images(images)
    return bank_of(
        chosen, images, shape, norm=norm,
        generator=generator, max_patches=max_patches, stride=stride, dilation=dilation,
        both_signs=both_signs, eps=eps, feature_standardize=feature_standardize,
    )  # fmt: skip


@plain_arithmetic()
def bank_of(
    method: Method,
    images: Tensor | Iterable[Tensor],
    shape: tuple[int, ...],
    *,
    norm: float | str,
    generator: torch.Generator | None,
    max_patches: int,
    stride: int,
    dilation: int,
    both_signs: bool = False,
    too_many: str = "error",
    **options: Any,
) -> FilterBank:
    """`make_filters` of checked images, or batches of them, and of a norm that is checked.

    Where a method with a limit can't give as many filters, too_many="error" refuses, "keep" gives
    fewer, and "fill" adds their negatives and then random orthonormal filters.
    """
    n_filters, channels, height, width = check_shape(shape)
    check_generator(generator)
    max_patches = as_integer("max_patches", max_patches)
    if not isinstance(both_signs, bool) or (both_signs and n_filters % 2):
        raise ValueError(
            f"both_signs={both_signs!r} should be False, or True for an even number of filters, "
            f"and F={n_filters} in shape={tuple(shape)}; change either"
        )
    options = {name: value for name, value in options.items() if value is not None}
    for name in options.keys() - set(method.options):
        takers = " or ".join(repr(key) for key in METHODS if name in METHODS[key].options)
        text = f"{name}={options[name]!r} means nothing to {method.label}; leave it out, or use "
        raise ValueError(f"{text}method={takers}")
    settings = {"norm": norm, "both_signs": both_signs, "too_many": too_many, **options}
    if norm != "own":
        options["norm"] = None if norm == "raw" else norm
    own = n_filters // 2 if both_signs else n_filters
    size = height, width
    learn_from: Any = None  # patches or their moments
    learned_from: dict[str, Any] = {}
    cut: dict[str, Any] = {"stride": stride, "dilation": dilation}
    if method.needs != "shape":
        settings |= cut
        batches = _noted([images] if isinstance(images, Tensor) else images, channels, learned_from)
    if method.needs in ("shape", "patches"):
        options["generator"] = generator
    if method.needs == "patches":
        settings["max_patches"] = max_patches
        limit = min(max_patches, max(own, MAX_VALUES // (channels * height * width)))
        if isinstance(images, Tensor):
            learn_from = some_patches(next(batches), size, limit, generator=generator, **cut)
        else:
            learn_from = streamed_patches(batches, size, limit, generator=generator, **cut)
        learned_from["patches"] = len(learn_from)
    elif method.needs != "shape":
        moments = moments_of(
            batches, size, standardize=method.needs == "standardized moments", **cut
        )
        learned_from["patches"] = moments.count + moments.constant
        # Eigenvectors from the CPU, so that they are the same wherever the images lie.
        learn_from = replace(moments, mean=moments.mean.cpu(), covariance=moments.covariance.cpu())
    n, bank = own, None
    while bank is None:
        try:
            first = ((n, channels, *size),) if learn_from is None else (learn_from, n)
            bank = method.make(*first, **options)
        except TooManyFilters as error:
            if too_many == "error" or not method.bounded or error.limit < 1:
                half = f" (half of {n_filters}, by both_signs=True)" if both_signs else ""
                raise TooManyFilters(f"{error}{half}", error.limit) from error
            n = error.limit  # which is smaller; a lower one may lie behind it
    parts = [(bank.method, bank.filters)]
    if both_signs or (too_many == "fill" and n < own):
        parts.append((f"{bank.method}, negative", -bank.filters[: n_filters - n]))
    mean = bank.filters.flatten(1).norm(dim=1).mean().item()
    while too_many == "fill" and (left := n_filters - sum(len(part) for _, part in parts)):
        block = min(left, channels * height * width), channels, *size
        more = random_orthonormal(block, norm=mean, generator=generator)
        parts.append((more.method, more.filters))
    bank = replace(bank, settings=settings, learned_from=learned_from)
    if len(parts) == 1:
        return bank
    counts = tuple((name, len(part)) for name, part in parts)
    return replace(bank, filters=torch.cat([part for _, part in parts]), parts=counts)


def _noted(
    batches: Iterable[Tensor], channels: int, learned_from: dict[str, Any]
) -> Iterator[Tensor]:
    """The batches as they come, counted; ValueError if they have other channels than the filters.

    Where the device has no float64, on the CPU.
    """
    for batch in batches:
        n, given, height, width = batch.shape
        if given != channels:
            text = (
                f"images have C={given} channels, the layer takes {channels}; pass what it is fed"
            )
            raise ValueError(text)
        learned_from["images"] = learned_from.get("images", 0) + n
        learned_from |= {"channels": channels, "size": [height, width]}
        yield batch.cpu() if batch.device.type == "mps" else batch
