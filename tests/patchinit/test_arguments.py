"""Integers of numpy do what Python's do, and what is no generator is named, in every function."""

import numpy as np
import pytest
import torch
from torch import nn

from patchinit import (
    METHODS,
    initialize_all_layers_,
    initialize_first_layer_,
    make_filters,
    set_filters_,
)
from patchinit import filters as f
from patchinit.data import load_images
from patchinit.moments import patch_moments
from patchinit.patches import extract_patches, sample_patches

IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
PATCHES = extract_patches(IMAGES, 3)
OF_SHAPE = ("glorot_uniform", "kaiming_normal", "random_orthonormal", "cosine_basis")


def layer():
    return nn.Sequential(nn.Conv2d(3, 4, 3))


#: What takes integers (made by i) and a generator.
BOTH = {
    "sample_patches": lambda i, g: sample_patches(
        IMAGES, (i(3), i(2)), i(40), stride=i(2), dilation=i(2), generator=g
    ),
    "kmeans": lambda i, g: f.kmeans(PATCHES, i(5), n_init=i(2), max_iter=i(250), generator=g),
    "kmedoids": lambda i, g: f.kmedoids(
        PATCHES, i(5), max_patches=i(200), max_iter=i(30), generator=g
    ),
    "kmedians": lambda i, g: f.kmedians(PATCHES, i(5), max_iter=i(50), generator=g),
    "random_patches": lambda i, g: f.random_patches(PATCHES, i(5), norm=i(2), generator=g),
    "first": lambda i, g: initialize_first_layer_(
        layer(), IMAGES, "kmeans", stride=i(2), max_patches=i(250), norm=i(2), generator=g
    ),
    "all": lambda i, g: initialize_all_layers_(
        layer(), IMAGES, "kmeans", max_patches=i(250), generator=g
    )["0"],
    "images": lambda i, g: load_images("digits").sample(i(5), generator=g).images,
    **{
        f"make_filters {m}": lambda i, g, m=m: make_filters(
            m, IMAGES, (i(4), i(3), i(3), i(3)), generator=g,
            max_patches=i(250), stride=i(2), dilation=i(2), both_signs=True,
        )
        for m in METHODS
    },
    **{
        m: lambda i, g, m=m: getattr(f, m)((i(4), i(3), i(3), i(3)), generator=g)
        for m in OF_SHAPE
    },
}  # fmt: skip
INTEGERS = {
    "extract_patches": lambda i: extract_patches(IMAGES, i(3), stride=i(2), dilation=i(2)),
    "patch_moments": lambda i: (
        patch_moments(IMAGES, i(3), stride=i(2), dilation=i(2), batch_size=i(2)).covariance
    ),
    "principal_components": lambda i: f.principal_components(PATCHES, i(5)),
    "pca_whitening": lambda i: f.pca_whitening(PATCHES, i(5)),
    **{
        name: lambda i, call=call: call(i, torch.Generator().manual_seed(3))
        for name, call in BOTH.items()
    },
}


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
@pytest.mark.parametrize("name", INTEGERS)
def test_numpys_integers(name, kind):
    one, other = (INTEGERS[name](i) for i in (int, kind))
    if not isinstance(one, torch.Tensor):
        one, other = one.filters, other.filters
    assert torch.equal(one, other)


@pytest.mark.parametrize("generator", [0, np.int64(1), np.random.default_rng(0), "seed"])
@pytest.mark.parametrize("name", BOTH)
def test_what_is_no_generator_is_named(name, generator):
    with pytest.raises(TypeError, match="^generator=.*torch.Generator"):
        BOTH[name](int, generator)


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None])
def test_what_is_no_integer_is_named(value):
    for name, call in {
        "n_patches": lambda: sample_patches(IMAGES, 3, value),
        "kernel_size": lambda: extract_patches(IMAGES, (3, value)),
        "stride": lambda: extract_patches(IMAGES, 3, stride=value),
        "batch_size": lambda: patch_moments(IMAGES, 3, batch_size=value),
        "max_iter": lambda: f.kmeans(PATCHES, 3, max_iter=value),
        "max_patches": lambda: make_filters("kmeans", IMAGES, (3, 3, 3, 3), max_patches=value),
        "n_filters": lambda: f.random_patches(PATCHES, value),
    }.items():
        with pytest.raises(ValueError, match=name):
            call()


@pytest.mark.parametrize(
    "module, filters, words",
    [
        (nn.Sequential(nn.Conv2d(1, 1, 2)), torch.ones(1, 1, 2, 2), "layer is a Sequential"),
        (nn.ReLU(), torch.ones(1, 1, 2, 2), "layer is a ReLU"),
        (None, torch.ones(1, 1, 2, 2), "layer is a NoneType"),
        (nn.Conv2d(1, 1, 2), torch.ones(1, 1, 2, 2).int(), "dtype torch.int32"),
        (nn.Conv2d(1, 1, 2), 1j * torch.ones(1, 1, 2, 2), "dtype torch.complex64"),
        (nn.Conv2d(1, 1, 2), torch.ones(1, 1, 2, 2, device="meta"), "on meta"),
        (nn.Conv2d(1, 1, 2), torch.full((1, 1, 2, 2), torch.nan), "NaN or infinite"),
        (nn.Conv2d(1, 1, 2).half(), torch.full((1, 1, 2, 2), 1e6), "torch.float16 can't hold"),
    ],
)
def test_what_can_be_no_filters_is_named(module, filters, words):
    before = [value.clone() for value in module.parameters()] if module else []
    with pytest.raises((TypeError, ValueError), match=words):
        set_filters_(module, filters)
    assert all(map(torch.equal, module.parameters() if module else [], before))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: make_filters("kmeans", (IMAGES, torch.arange(6)), (4, 3, 3, 3)), "images alone"),
        (lambda: make_filters("kmeans", IMAGES, 4), "shape is a int"),
        (lambda: make_filters("pca_whitening", IMAGES, (4, 3, 3, 3), eps="1"), "eps='1'"),
        (lambda: f.principal_components(PATCHES, 4, feature_standardize="no"), "standardize='no'"),
        (lambda: f.kmedians(PATCHES, 4, tol=float("nan")), "tol=nan"),
        (lambda: patch_moments([IMAGES, IMAGES[:, :1]], 3), "C=1 channels, those before C=3"),
    ],
)
def test_what_is_of_another_kind_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
