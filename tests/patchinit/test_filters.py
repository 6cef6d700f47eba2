"""Filter banks against scikit-learn, closed forms and recomputation."""

import re

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import normalize

from patchinit import METHODS, from_images_, make_filters
from patchinit.filters import (
    glorot_uniform,
    kaiming_normal,
    kmeans,
    pca_whitening,
    principal_components,
    random_orthonormal,
    random_patches,
    with_norm,
)
from patchinit.moments import patch_moments
from patchinit.patches import extract_patches, standardize_patches


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def patches(images):
    return extract_patches(images, 3)


@pytest.mark.parametrize("feature_standardize", [True, False])
def test_components_equal_scikit_learn(patches, feature_standardize):
    bank = principal_components(patches, 26, feature_standardize=feature_standardize)
    rows = standardize_patches(patches).patches.flatten(1).double().numpy()
    rows = StandardScaler().fit_transform(rows) if feature_standardize else rows
    pca = PCA(svd_solver="full").fit(rows)
    variance = pca.explained_variance_ * (len(rows) - 1) / len(rows)
    np.testing.assert_allclose(bank.eigenvalues, variance, atol=1e-5)
    cosines = np.abs((bank.filters.flatten(1).numpy() * pca.components_[:26]).sum(1))
    np.testing.assert_allclose(cosines, 1, atol=1e-4)
    np.testing.assert_allclose(bank.explained, pca.explained_variance_ratio_, atol=1e-6)


def test_components_are_orthonormal_ordered_and_signed(patches):
    bank = principal_components(patches, 27)
    flat = bank.filters.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(27), atol=1e-5, rtol=0)
    assert (bank.eigenvalues.diff() <= 0).all() and (bank.eigenvalues >= 0).all()
    assert (flat.gather(1, flat.abs().argmax(1, keepdim=True)) > 0).all()


def test_brightness_is_the_null_direction_of_standardised_patches(patches):
    bank = principal_components(patches, 27, feature_standardize=False)
    assert bank.eigenvalues[-1] < 1e-6 < bank.eigenvalues[-2]
    assert (bank.filters[-1] - 27**-0.5).abs().max() < 1e-4
    assert bank.filters[:-1].flatten(1).sum(1).abs().max() < 1e-3


def test_streamed_components_equal_those_in_memory(images, patches):
    streamed = principal_components(patch_moments(images, 3, batch_size=3), 26)
    held = principal_components(patches, 26)
    assert (streamed.filters * held.filters).flatten(1).sum(1).min() > 1 - 1e-4
    assert (streamed.n_patches, streamed.constant_share) == (held.n_patches, held.constant_share)


def test_whitened_responses_are_uncorrelated(patches):
    bank = pca_whitening(patches, 20, eps=1e-9)
    responded = (patches.flatten(1) @ bank.filters.flatten(1).T).double()
    covariance = torch.cov(responded.T, correction=0)
    torch.testing.assert_close(covariance, torch.eye(20, dtype=torch.float64), atol=0.02, rtol=0)


def test_whitening_bounds_the_gain(patches):
    loose, tight = pca_whitening(patches, 27, eps=1e-6), pca_whitening(patches, 27, eps=0.1)
    norms = tight.filters.flatten(1).norm(dim=1).double()
    expected = (tight.eigenvalues + 0.1 * tight.eigenvalues.mean()).rsqrt()
    torch.testing.assert_close(norms, expected, rtol=1e-4, atol=0)
    assert loose.filters.flatten(1).norm(dim=1).max() > norms.max()
    with pytest.raises(ValueError, match="eps=0"):
        pca_whitening(patches, 27, eps=0)


def test_random_patches_are_distinct_patches(patches, generator):
    bank = random_patches(patches, 40, norm=None, generator=generator)
    known = standardize_patches(patches).patches
    exactly = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    nearest = torch.cdist(bank.filters.flatten(1), known.flatten(1), **exactly).min(1)
    assert nearest.values.max() < 1e-6 and len(nearest.indices.unique()) == 40
    torch.testing.assert_close(bank.filters.flatten(1).norm(dim=1), torch.full((40,), 27**0.5))


def test_glorot_norm_and_bounds(generator):
    shape = (27, 3, 3, 3)
    filters = torch.cat([glorot_uniform(shape, generator=generator).filters for _ in range(200)])
    assert filters.abs().max() <= (6 / (27 + 243)) ** 0.5
    squares = filters.flatten(1).square().sum(1)
    error = 5 * squares.std() / len(squares) ** 0.5
    assert abs(squares.mean() - 2 * 3 / (3 + 27)) < error


def test_kaiming_variance(generator):
    filters = kaiming_normal((400, 3, 3, 3), generator=generator).filters
    assert filters.var().item() == pytest.approx(2 / 27, rel=0.06)


def test_random_orthonormal_is_a_rotation_and_not_always_the_same(generator):
    banks = (random_orthonormal((27, 3, 3, 3), generator=generator) for _ in range(2))
    one, two = (bank.filters.flatten(1) for bank in banks)
    torch.testing.assert_close(one @ one.T, torch.eye(27), atol=1e-5, rtol=0)
    entries = (one @ two.T).flatten()
    assert entries.std().item() == pytest.approx(27**-0.5, rel=0.1) and abs(entries.mean()) < 0.03


@pytest.mark.parametrize("name, method", METHODS.items(), ids=METHODS)
def test_every_method_keeps_its_promises(images, name, method):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    bank, again, other = (
        make_filters(name, images, (9, 3, 3, 3), norm=0.3, generator=seeded(seed))
        for seed in (1, 1, 2)
    )
    assert (bank.filters.shape, bank.method, len(bank)) == ((9, 3, 3, 3), name, 9)
    assert bank.filters.dtype == torch.float32
    torch.testing.assert_close(bank.filters.flatten(1).norm(dim=1), torch.full((9,), 0.3))
    assert torch.equal(bank.filters, again.filters)
    assert torch.equal(bank.filters, other.filters) != method.random
    assert torch.equal(before, torch.get_rng_state()), "the global random state was touched"


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].bounded])
def test_more_than_the_space_has_is_refused(images, name):
    words = r"n_filters=28 should be between 1 and 27, the C\*kh\*kw = 3\*3\*3"
    with pytest.raises(ValueError, match=words):
        make_filters(name, images, (28, 3, 3, 3))


@pytest.mark.parametrize("name, method", METHODS.items(), ids=METHODS)
def test_the_norms_are_those_that_the_method_promises(images, name, method):
    def filters(norm):
        made = make_filters(name, images, (9, 3, 3, 3), norm=norm, generator=seeded(1))
        return made.filters.flatten(1)

    own, raw = filters("own"), filters("raw")
    natural = 27**0.5 if method.raw_norm == "sqrt(d)" else method.raw_norm
    if natural is None:
        assert raw.norm(dim=1).std() > 0.01
    else:
        torch.testing.assert_close(raw.norm(dim=1), torch.full((9,), float(natural)))
    if method.own_norm is None:
        assert torch.equal(own, raw)
    else:
        torch.testing.assert_close(own.norm(dim=1), torch.full((9,), float(method.own_norm)))
    if name in ("kmeans", "kmedians"):
        assert raw.norm(dim=1).max() < 27**0.5
    half = filters(np.float32(0.5))
    torch.testing.assert_close(half.norm(dim=1), torch.full((9,), 0.5))
    for found in (raw, filters(2), half):
        torch.testing.assert_close(normalize(found, dim=1), normalize(own, dim=1))


def test_raw_is_what_the_filter_functions_call_none(images, patches):
    """And "own" is their default."""
    for norm, options in (("raw", {"norm": None}), ("own", {})):
        for method, given, function in (
            ("kmeans", images, lambda **options: kmeans(patches, 9, **options)),
            ("glorot_uniform", None, lambda **options: glorot_uniform((9, 3, 3, 3), **options)),
        ):
            bank = make_filters(method, given, (9, 3, 3, 3), norm=norm, generator=seeded(1))
            assert torch.equal(bank.filters, function(generator=seeded(1), **options).filters)


IMPOSSIBLE = [0, -1, float("inf"), float("nan"), True, "glorot", "0.5", torch.ones(())]


@pytest.mark.parametrize("norm", [*IMPOSSIBLE, "keep", None])
@pytest.mark.parametrize("method", ["kmeans", "glorot_uniform"])
def test_impossible_norms_are_named(images, method, norm):
    choices = "a finite number > 0, 'own' .the method's own norm. or 'raw' .filters as the method"
    weight = torch.zeros(4, 3, 3, 3)
    for call in (
        lambda: make_filters(method, images, (4, 3, 3, 3), norm=norm),
        lambda: from_images_(weight, images, method, norm=norm),
    ):
        with pytest.raises(ValueError, match=re.escape(f"norm={norm!r} should be ") + choices):
            call()
    assert not weight.any()


@pytest.mark.parametrize("norm", [*IMPOSSIBLE, "own", "raw"])
def test_a_filter_functions_norm_is_a_number_or_none(patches, norm):
    words = re.escape(f"norm={norm!r} should be a finite number > 0 or None (filters as they are)")
    with pytest.raises(ValueError, match=words):
        random_patches(patches, 4, norm=norm)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda x: make_filters("pca", x, (4, 3, 3, 3)), "'pca' is unknown.*principal_c.*kaiming_"),
        (lambda x: make_filters("kmeans", x, (4, 1, 3, 3)), "C=3 channels, the layer takes 1"),
        (lambda x: make_filters("kmeans", [1], (4, 1, 3, 3)), "batch 0 of images"),
        (lambda x: glorot_uniform((3, 3, 3)), r"shape=\(3, 3, 3\) should be \(F, C, kh, kw\)"),
        (lambda x: make_filters("kmeans", x, (3, 3, 3)), r"shape=\(3, 3, 3\) should be \(F, C"),
        (lambda x: random_patches(extract_patches(x[:1, :, :4, :4], 3), 5), "between 1 and 4"),
        (lambda x: pca_whitening(torch.full((5, 3, 3, 3), 0.5), 3), "all patches are the same"),
        (lambda x: with_norm(torch.zeros(2, 1, 2, 2), 1.0), "filter 0 is zero"),
    ],
)
def test_bad_requests_are_named(images, call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call(images)
