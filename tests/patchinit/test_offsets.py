"""Images with a large offset beside their contrast: the patterns are those without it."""

import warnings

import numpy as np
import pytest
import torch

from patchinit import make_filters
from patchinit.data import load_images
from patchinit.filters import kmeans, principal_components, random_patches
from patchinit.moments import patch_moments
from patchinit.patches import extract_patches, standardize_patches

X = load_images("photos").images[::100, :1]
PATTERNS = extract_patches(X, 3)
REFERENCE = principal_components(PATTERNS, 9)
OFFSETS = [(101_325, 10), (54_000, 20), (1e6, 10), (1e9, 1), (-1e9, 10), (280, 5), (1e5, 0.01)]


def aligned(bank):
    one, other = bank.filters.flatten(1), REFERENCE.filters.flatten(1)
    return (one * other).sum(1).abs().min().item()


@pytest.mark.parametrize(("offset", "scale"), OFFSETS)
def test_components_in_float64_are_those_without_it(offset, scale):
    images = offset + scale * X.double() / 255
    for bank in (
        principal_components(extract_patches(images, 3), 9),
        make_filters("principal_components", images, (9, 1, 3, 3)),
    ):
        assert bank.constant_share == REFERENCE.constant_share
        assert aligned(bank) > 1 - 1e-5


def test_each_standardised_patch_is_that_without_it():
    expected, constant = standardize_patches(PATTERNS.double())
    found, also = standardize_patches(1e6 + 10 * PATTERNS.double())
    assert torch.equal(constant, also) and torch.allclose(found, expected, atol=1e-6)
    assert len(kmeans(1e6 + 10 * PATTERNS[:500].double(), 5)) == 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_numbers_have_no_rounding(dtype):
    images = 1e6 + X.to(dtype)
    bank = principal_components(extract_patches(images, 3), 9)
    assert bank.constant_share == REFERENCE.constant_share and aligned(bank) > 1 - 1e-5


def test_float32_as_far_as_its_rounding_allows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bank = make_filters("principal_components", 10_000 + 20 * X.float() / 255, (9, 1, 3, 3))
    assert aligned(bank) > 0.999
    images = 1e6 + 10 * X.float() / 255
    for make in (
        lambda: patch_moments(images, 3),
        lambda: standardize_patches(extract_patches(images, 3)),
        lambda: kmeans(extract_patches(images, 3)[::25], 5),
    ):
        with pytest.warns(UserWarning, match="of the patches vary by no more than"):
            make()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_of_flat_images_is_no_pattern(dtype):
    """Of an offset as of none: values that differ in the last bit of float32."""
    flat = torch.full((20, 1, 8, 8), 101_325.3)
    noise = torch.rand(flat.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    flat = torch.where(noise, flat, torch.nextafter(flat, flat * 2)).to(dtype)
    with pytest.warns(UserWarning, match="vary by no more"), pytest.raises(ValueError, match="all"):
        patch_moments(flat, 3)


# --- Random patches ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 9, 64, 100])
def test_random_patches_are_all_different(n):
    digits = (load_images("digits").images[:30] > 127).to(torch.uint8) * 255
    bank = make_filters("random_patches", digits, (n, 1, 3, 3))
    cosines = bank.filters.flatten(1) @ bank.filters.flatten(1).T
    assert len(bank) == n and (cosines - 2 * torch.eye(n)).max() < 1 - 1e-5


def test_all_different_patches_can_be_asked_for():
    patterns = torch.eye(9).reshape(9, 1, 3, 3).repeat(50, 1, 1, 1) * torch.rand(450, 1, 1, 1)
    bank = random_patches(patterns, 9)
    assert torch.equal(bank.filters.flatten(1).argmax(1).sort().values, torch.arange(9))
    with pytest.raises(ValueError, match="between 1 and 9, the different patches"):
        random_patches(patterns, 10)


def test_where_none_repeats_they_are_a_draw_without_replacement():
    patches = torch.rand(200, 1, 3, 3)
    bank = random_patches(patches, 20, norm=None, generator=torch.Generator().manual_seed(4))
    order = torch.randperm(200, generator=torch.Generator().manual_seed(4))[:20]
    assert torch.equal(bank.filters, standardize_patches(patches).patches[order])


def test_numpy_is_of_no_matter():
    assert np.array_equal(random_patches(PATTERNS, np.int64(3)).filters.shape, (3, 1, 3, 3))
