"""One registry of the methods: name, label, function and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..moments import moments_of
from ..patches import check_images, plain_arithmetic, some_patches
from .bank import FilterBank, check_norm, check_shape
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


#: Every method by its name, in the order of the book.
METHODS: dict[str, Method] = {
    "principal_components": Method(
        "principal components", principal_components, "standardized moments",
        own_norm=1, raw_norm=1, bounded=True, random=False,
    ),
    "kmeans": Method("k-means", kmeans, "patches", own_norm=1),
    "kmedoids": Method("k-medoids", kmedoids, "patches", own_norm=1, raw_norm="sqrt(d)"),
    "kmedians": Method("k-medians", kmedians, "patches", own_norm=1),
    "random_patches": Method(
        "random patches", random_patches, "patches", own_norm=1, raw_norm="sqrt(d)"
    ),
    "pca_whitening": Method(
        "PCA whitening", pca_whitening, "raw moments", bounded=True, random=False
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
    images: Tensor,
    shape: tuple[int, ...],
    *,
    norm: float | str = "own",
    generator: torch.Generator | None = None,
    max_patches: int = MAX_PATCHES,
    dilation: int = 1,
) -> FilterBank:
    """A filter bank of a given shape by the method's name.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    images : Tensor of shape (N, C, H, W)
        uint8 (divided by 255) or any floating point, finite, on any device; the work is done on the
        CPU. Unused by the methods that know nothing of the data.
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
    dilation : int
        Of the patches, at least 1.

    Returns
    -------
    FilterBank
        float32, on the CPU, whatever the types of the images.

    Raises
    ------
    TypeError, ValueError
        An unknown method or norm, other channels than the shape's, or what the method itself
        refuses.

    Examples
    --------
    >>> images = torch.rand(10, 3, 32, 32)
    >>> make_filters("principal_components", images, (16, 3, 5, 5)).filters.shape
    torch.Size([16, 3, 5, 5])
    """
    chosen = method_of(method)
    check_norm(norm, "own", "raw")
    if chosen.needs != "shape":
        check_images(images)
    return bank_of(
        chosen, images, shape, norm=norm,
        generator=generator, max_patches=max_patches, dilation=dilation,
    )  # fmt: skip


@plain_arithmetic()
def bank_of(
    method: Method,
    images: Tensor,
    shape: tuple[int, ...],
    *,
    norm: float | str,
    generator: torch.Generator | None,
    max_patches: int,
    dilation: int,
) -> FilterBank:
    """`make_filters` of checked images, and of a norm that is checked."""
    options = {} if norm == "own" else {"norm": None if norm == "raw" else norm}
    if method.needs == "shape":
        return method.make(shape, generator=generator, **options)
    n_filters, channels, height, width = check_shape(shape)
    size = height, width
    if images.shape[1] != channels:
        raise ValueError(
            f"images have C={images.shape[1]} channels, the layer takes {channels}; "
            "pass what it is fed"
        )
    images = images.cpu()
    if method.needs == "patches":
        if max_patches < 1:
            raise ValueError(f"max_patches={max_patches} should be >= 1")
        limit = max(n_filters, MAX_VALUES // (channels * height * width))
        max_patches = min(max_patches, limit)
        patches = some_patches(images, size, max_patches, dilation=dilation, generator=generator)
        return method.make(patches, n_filters, generator=generator, **options)
    standardize = method.needs == "standardized moments"
    moments = moments_of([images], size, standardize=standardize, dilation=dilation)
    return method.make(moments, n_filters, **options)
