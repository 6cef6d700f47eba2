"""Patches and their moments, against conv2d, numpy and closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from patchinit import initialize_first_layer_, layers, make_filters
from patchinit import moments as moments_module
from patchinit import patches as patches_module
from patchinit.filters import methods
from patchinit.moments import patch_moments
from patchinit.patches import extract_patches, sample_patches, standardize_patches


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 3),
    channels=st.integers(1, 4),
    size=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
)
def test_convolution_is_patches_times_weights(n, channels, size, kernel, stride, dilation):
    generator = seeded(n + channels)
    images = torch.rand(n, channels, *size, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, channels, *kernel, generator=generator, dtype=torch.float64)
    patches = extract_patches(images, kernel, stride=stride, dilation=dilation)
    maps = F.conv2d(images, weight, stride=stride, dilation=dilation)
    assert patches.shape == (maps[:, 0].numel(), channels, *kernel)
    expected = maps.permute(0, 2, 3, 1).reshape(-1, 5)
    torch.testing.assert_close(patches.flatten(1) @ weight.flatten(1).T, expected)


def test_order_is_left_to_right_then_down():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    patches = extract_patches(image, 2)
    assert patches[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6]


def test_uint8_is_divided_by_255():
    image = torch.tensor([[[[0, 255], [51, 102]]]], dtype=torch.uint8)
    assert extract_patches(image, 2).flatten().tolist() == pytest.approx([0, 1, 0.2, 0.4])


@pytest.mark.parametrize("stride, dilation", [(1, 1), (2, 1), (1, 2), (3, 2)])
@pytest.mark.parametrize("n", [50, 150])
def test_sample_is_a_subset_without_replacement(images, generator, stride, dilation, n):
    place = {"stride": stride, "dilation": dilation}
    every, drawn = (
        [tuple(row.tolist()) for row in patches.flatten(1)]
        for patches in (
            extract_patches(images, (3, 2), **place),
            sample_patches(images, (3, 2), n, generator=generator, **place),
        )
    )
    assert len(set(drawn)) == n and set(drawn) <= set(every)


@pytest.mark.parametrize("n", [3, 30])  # a small share and a large one: two algorithms
def test_sample_is_uniform(n):
    images = torch.arange(60.0).reshape(1, 1, 6, 10)  # 60 patches of 1x1, told apart by their value
    generator = seeded(1)
    counts = torch.zeros(60)
    for _ in range(1500):
        counts[sample_patches(images, 1, n, generator=generator).flatten().long()] += 1
    expected = 1500 * n / 60
    statistic = float(((counts - expected) ** 2 / expected).sum())
    statistic /= 1 - n / 60  # without replacement
    assert 30 < statistic < 95  # chi-squared with 59 degrees of freedom: 0.1 % below and above


def test_sample_of_everything_is_everything(images):
    torch.testing.assert_close(sample_patches(images, 3, 10**6), extract_patches(images, 3))


def test_standardised_patches_have_mean_0_and_deviation_1(images):
    patches, constant = standardize_patches(extract_patches(images, 3))
    assert not constant.any()
    assert patches.flatten(1).mean(1).abs().max() < 1e-5
    torch.testing.assert_close(patches.flatten(1).norm(dim=1), torch.full((len(patches),), 27**0.5))


@settings(deadline=None, max_examples=30)
@given(gain=st.floats(0.01, 100), shift=st.floats(-0.5, 0.5))
def test_standardising_ignores_brightness_and_contrast(gain, shift):
    patches = torch.rand(50, 3, 3, 3, generator=seeded(0)).double()
    moved = standardize_patches(gain * (patches + shift)).patches
    torch.testing.assert_close(moved, standardize_patches(patches).patches)


@pytest.mark.parametrize("level", [0, 1, 7, 254])
@pytest.mark.parametrize("kernel", [3, 7])
def test_constant_patches_are_found_and_the_faintest_pattern_is_kept(level, kernel):
    flat = torch.full((4, 3, kernel, kernel), level, dtype=torch.uint8)
    faint = flat.clone()
    faint[:, 1, 1, 1] += 1  # one value, one step of 8 bits
    both = torch.cat([flat, faint])
    result = standardize_patches(both)
    assert result.constant.tolist() == [True] * 4 + [False] * 4
    assert len(result.patches) == 4 and result.constant_share == 0.5
    moments = patch_moments(both, kernel)
    assert (moments.count, moments.constant) == (4, 4)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_moments_equal_numpy(images, standardize, dtype):
    images = (images * 255).to(torch.uint8) if dtype == torch.uint8 else images
    images[:3] = images[:3, :1, :1, :1]  # three constant images
    moments = patch_moments(images, 3, standardize=standardize, batch_size=5)
    rows = extract_patches(images, 3).flatten(1).double().numpy()
    if standardize:
        rows = rows[rows.std(1) > 1e-6]
        rows = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
        assert moments.constant == 3 * 14 * 14
    assert moments.count == len(rows)
    np.testing.assert_allclose(moments.mean, rows.mean(0), atol=1e-6)
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T, bias=True), atol=2e-6)


@pytest.mark.parametrize("standardize", [True, False])
def test_moments_of_images_of_one_patch_and_of_an_iterable(images, standardize):
    whole = patch_moments(images, 3, standardize=standardize, batch_size=100)
    for parts in (extract_patches(images, 3), iter(images.split(5))):
        found = patch_moments(parts, 3, standardize=standardize, batch_size=100)
        torch.testing.assert_close(whole.covariance, found.covariance)
        assert whole.count == found.count
    with pytest.raises(ValueError, match="at least one image"):
        patch_moments(iter([]), 3)


@pytest.mark.parametrize(
    "function", [extract_patches, patch_moments, lambda images, k: sample_patches(images, k, 5)]
)
@pytest.mark.parametrize(
    "bad, error, words",
    [
        ([[1, 2]], TypeError, "torch.from_numpy"),
        (np.zeros((1, 3, 8, 8)), TypeError, "ndarray.*torch.Tensor"),
        (torch.zeros(3, 8, 8), ValueError, r"\(3, 8, 8\).*4 axes.*images\[None\]"),
        (torch.zeros(0, 3, 8, 8), ValueError, "at least one image"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), TypeError, "int64.*uint8"),
        (torch.full((1, 3, 8, 8), torch.nan), ValueError, "NaN.*isfinite"),
        (torch.zeros(1, 3, 2, 8), ValueError, "3x3 pixels, more than the images' 2x8"),
    ],
)
def test_bad_images_are_named(function, bad, error, words):
    with pytest.raises(error, match=words):
        function(bad, 3)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_value_that_is_not_finite_is_found_wherever_it_is(value, dtype):
    """In the last of many images, of which no patch may be drawn."""
    images = torch.rand(2500, 1, 4, 4).to(dtype)
    images[-1, 0, 3, 3] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        sample_patches(images, 3, 2, generator=seeded(0))


@pytest.mark.parametrize(
    "call",
    [
        lambda images: extract_patches(images, 3),
        lambda images: sample_patches(images, 3, 50),
        lambda images: patch_moments(images, 3),
        lambda images: standardize_patches(images),
        lambda images: make_filters("principal_components", images, (9, 3, 3, 3)),
        lambda images: make_filters("random_patches", images, (9, 3, 3, 3)),
        lambda images: initialize_first_layer_(torch.nn.Conv2d(3, 9, 3), images),
        lambda images: initialize_first_layer_(torch.nn.Conv2d(3, 9, 3), images, "random_patches"),
    ],
)
def test_images_are_looked_through_once(images, call, monkeypatch):
    looked_through, look = [], patches_module._all_finite
    monkeypatch.setattr(
        patches_module, "_all_finite", lambda x: looked_through.append(x.shape) or look(x)
    )
    call(images)
    assert looked_through.count(images.shape) == 1


def test_only_what_is_drawn_becomes_floating_point(images, monkeypatch):
    sizes, convert = [], patches_module.as_float
    monkeypatch.setattr(patches_module, "as_float", lambda x: sizes.append(x.numel()) or convert(x))
    drawn = sample_patches((images * 255).to(torch.uint8), 3, 50)
    assert sum(sizes) == drawn.numel() == 50 * 27 and drawn.dtype == torch.float32


@pytest.mark.parametrize("kernel", [0, -1, (3,), (3, 0), 2.5])
def test_bad_kernels_are_named(images, kernel):
    with pytest.raises((ValueError, TypeError), match="kernel_size|iterable"):
        extract_patches(images, kernel)


def test_only_constant_patches_is_an_error():
    images = torch.full((2, 3, 8, 8), 0.3)
    for call in (lambda: standardize_patches(extract_patches(images, 3)),
                 lambda: patch_moments(images, 3)):  # fmt: skip
        with pytest.raises(ValueError, match="all 72 patches are constant.*contrast"):
            call()


def test_share_of_constant_patches_on_fashion_mnist(real_data):
    from patchinit.data import load_images

    images = load_images("fashion_mnist", root=real_data).images[::600]
    patches = images.float().unfold(2, 3, 1).unfold(3, 3, 1).reshape(-1, 9)
    expected = (patches.amax(1) == patches.amin(1)).sum()
    assert patch_moments(images, 3).constant == expected


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kernel, place", [(3, {}), ((4, 2), {"stride": 3}), (2, {"dilation": 4})])
@pytest.mark.parametrize("at_a_time", [1, 700, 5_000])
def test_moments_in_bands_are_those_of_whole_images(
    images, standardize, kernel, place, at_a_time, monkeypatch
):
    options = {"standardize": standardize, **place}
    whole = patch_moments(images, kernel, **options)
    monkeypatch.setattr(moments_module, "VALUES_AT_A_TIME", at_a_time)
    bands = patch_moments(images, kernel, **options)
    assert (bands.count, bands.constant) == (whole.count, whole.constant)
    torch.testing.assert_close(bands.mean, whole.mean, atol=1e-12, rtol=0)
    torch.testing.assert_close(bands.covariance, whole.covariance, atol=1e-12, rtol=1e-10)


class Largest(TorchDispatchMode):
    """Values in the largest tensor that is made."""

    def __init__(self):
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(value, torch.Tensor) and not value._is_view():
                self.values = max(self.values, value.untyped_storage().nbytes())
        return out


@pytest.mark.parametrize("shape", [(12, 3, 128, 128), (1, 3, 400, 400), (300, 3, 32, 32)])
@pytest.mark.parametrize(
    "call",
    [
        lambda x: patch_moments(x, 7),
        lambda x: patch_moments(x, 7, standardize=False, batch_size=1000),
        lambda x: make_filters("pca_whitening", x, (9, 3, 7, 7)),
        lambda x: initialize_first_layer_(torch.nn.Conv2d(3, 9, 7), x),
        lambda x: make_filters("random_patches", x, (9, 3, 7, 7), max_patches=2000),
        lambda x: initialize_first_layer_(
            torch.nn.Sequential(torch.nn.Hardtanh(0.1, 0.9), torch.nn.Conv2d(3, 9, 7)), x
        ),
    ],
)
def test_memory_is_bounded_by_values(call, shape, monkeypatch):
    """At a budget of a tenth: nothing that is made is larger, but for a copy of the images.

    And but for what the network itself makes of two of them: 9 maps of each.
    """
    for module in (moments_module, patches_module, layers):
        monkeypatch.setattr(module, "VALUES_AT_A_TIME", 2**19)
    images = torch.rand(shape, generator=seeded(0))
    with Largest() as largest:
        call(images)
    maps = 4 * 9 * images[:2, 0].numel()
    assert largest.values <= max(8 * 2**19, 4 * images.numel(), 8 * 2000 * 147, maps)


def test_clustered_values_are_bounded(images, monkeypatch):
    monkeypatch.setattr(methods, "MAX_VALUES", 27 * 100)
    assert make_filters("kmeans", images, (4, 3, 3, 3)).n_patches == 100
    assert make_filters("kmeans", images, (4, 3, 3, 3), max_patches=50).n_patches == 50


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_half_precision_is_worked_on_in_single(images, dtype):
    given, wanted = images.to(dtype), images.to(dtype).float()
    assert torch.equal(extract_patches(given, 3), extract_patches(wanted, 3))
    one, other = (sample_patches(x, 3, 50, generator=seeded(0)) for x in (given, wanted))
    assert torch.equal(one, other)
    assert torch.equal(standardize_patches(given).patches, standardize_patches(wanted).patches)
    assert torch.equal(patch_moments(given, 3).covariance, patch_moments(wanted, 3).covariance)


def test_tensors_without_plain_values_are_named(images):
    for bad in (images.to("meta"), images.to_sparse()):
        with pytest.raises(TypeError, match="pass a plain one that holds its values"):
            extract_patches(bad, 3)


def test_patches_pass_gradients_on(images):
    images.requires_grad_()
    extract_patches(images, 3).sum().backward()
    assert images.grad[0, 0, 5, 5] == 9  # a pixel is in nine patches


@pytest.mark.parametrize(
    "place", [{}, {"stride": 2}, {"dilation": 2}, {"stride": 3, "dilation": 2}]
)
@pytest.mark.parametrize("kernel", [(5, 6), (1, 25)])
def test_moments_of_large_kernels_are_those_of_their_patches(kernel, place, generator):
    """They are taken in another way; some patches are constant, and some all but."""
    images = torch.rand(5, 2, 40, 60, dtype=torch.float64, generator=generator)
    images[0], images[1] = 0.3, 0.5 + 1e-3 * images[1]
    rows = standardize_patches(extract_patches(images, kernel, **place)).patches.flatten(1)
    moments = patch_moments(images, kernel, **place)
    assert moments.count == len(rows) and moments.constant > 0
    torch.testing.assert_close(moments.mean, rows.mean(0), atol=1e-10, rtol=0)
    expected = rows.T.cov(correction=0)
    torch.testing.assert_close(moments.covariance, expected, atol=1e-10, rtol=0)
    raw = patch_moments(images, kernel, standardize=False, **place)
    rows = extract_patches(images, kernel, **place).flatten(1)
    torch.testing.assert_close(raw.covariance, rows.T.cov(correction=0), atol=1e-12, rtol=0)
