"""One registry of the methods: name, label, function and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..moments import patch_moments
from ..patches import check_images, sample_patches
from .bank import FilterBank
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


@dataclass(frozen=True)
class Method:
    """What is known of a method by its name."""

    label: str  #: in words, for tables and figures
    make: Callable[..., FilterBank]
    #: What `make` takes first: "standardized moments" or "raw moments" of the patches, "patches"
    #: as they are, or the "shape" of the bank alone.
    needs: str
    bounded: bool = False  #: makes at most C*kh*kw filters


#: Every method by its name, in the order of the book.
METHODS: dict[str, Method] = {
    "principal_components": Method(
        "principal components", principal_components, "standardized moments", bounded=True
    ),
    "kmeans": Method("k-means", kmeans, "patches"),
    "kmedoids": Method("k-medoids", kmedoids, "patches"),
    "kmedians": Method("k-medians", kmedians, "patches"),
    "random_patches": Method("random patches", random_patches, "patches"),
    "pca_whitening": Method("PCA whitening", pca_whitening, "raw moments", bounded=True),
    "random_orthonormal": Method("random orthonormal", random_orthonormal, "shape", bounded=True),
    "cosine_basis": Method("cosine basis", cosine_basis, "shape", bounded=True),
    "glorot_uniform": Method("Glorot uniform", glorot_uniform, "shape"),
    "kaiming_normal": Method("Kaiming normal", kaiming_normal, "shape"),
}


def method_of(name: str) -> Method:
    """The method of a name; ValueError, with all names, if there is none."""
    if name not in METHODS:
        raise ValueError(f"method={name!r} is unknown; choose one of {', '.join(METHODS)}")
    return METHODS[name]


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
    chosen = method_of(method)
    options = {} if norm is None else {"norm": norm}
    if chosen.needs == "shape":
        return chosen.make(shape, generator=generator, **options)
    n_filters, channels, *kernel_size = shape
    if not isinstance(images, Tensor) or images.ndim != 4:
        check_images(images)  # says what is wrong
    if images.shape[1] != channels:
        raise ValueError(
            f"images have C={images.shape[1]} channels, the layer takes {channels}; "
            "pass what it is fed"
        )
    size, place = tuple(kernel_size), {"stride": stride, "dilation": dilation}
    if chosen.needs == "patches":
        patches = sample_patches(images, size, max_patches, generator=generator, **place)
        return chosen.make(patches, n_filters, generator=generator, **options)
    standardize = chosen.needs == "standardized moments"
    moments = patch_moments(images, size, standardize=standardize, **place)
    return chosen.make(moments, n_filters, **options)
