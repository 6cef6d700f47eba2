"""Filter banks against scikit-learn, closed forms and recomputation."""

import re

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

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


@pytest.fixture
def patches(images):
    return extract_patches(images, 3)


@pytest.mark.parametrize("feature_standardize", [True, False])
def test_components_equal_scikit_learn(patches, feature_standardize):
    bank = principal_components(patches, 26, feature_standardize=feature_standardize)
    rows = standardize_patches(patches).patches.flatten(1).double().numpy()
    rows = StandardScaler().fit_transform(rows) if feature_standardize else rows
    pca = PCA(svd_solver="full").fit(rows)
    np.testing.assert_allclose(
        bank.eigenvalues, pca.explained_variance_ * (len(rows) - 1) / len(rows), atol=1e-5
    )
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
    torch.testing.assert_close(
        bank.filters[-1].flatten(), torch.full((27,), 27**-0.5), atol=1e-4, rtol=0
    )
    sums = bank.filters[:-1].flatten(1).sum(1)
    torch.testing.assert_close(sums, torch.zeros(26), atol=1e-3, rtol=0)


def test_streamed_components_equal_those_in_memory(images, patches):
    streamed = principal_components(patch_moments(images, 3, batch_size=3), 26)
    held = principal_components(patches, 26)
    assert (streamed.filters * held.filters).flatten(1).sum(1).min() > 1 - 1e-4
    assert (streamed.n_patches, streamed.constant_share) == (held.n_patches, held.constant_share)


def test_whitened_responses_are_uncorrelated(patches):
    bank = pca_whitening(patches, 20, eps=1e-9)
    covariance = torch.cov(
        (patches.flatten(1) @ bank.filters.flatten(1).T).double().T, correction=0
    )
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
    nearest = torch.cdist(
        bank.filters.flatten(1), known.flatten(1), compute_mode="donot_use_mm_for_euclid_dist"
    ).min(1)
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
    one, two = (
        random_orthonormal((27, 3, 3, 3), generator=generator).filters.flatten(1) for _ in range(2)
    )
    torch.testing.assert_close(one @ one.T, torch.eye(27), atol=1e-5, rtol=0)
    entries = (one @ two.T).flatten()
    assert entries.std().item() == pytest.approx(27**-0.5, rel=0.1) and abs(entries.mean()) < 0.03


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_its_promises(images, method):
    shape = (9, 3, 3, 3)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    seed = lambda s: torch.Generator().manual_seed(s)  # noqa: E731
    bank = make_filters(method, images, shape, norm=0.3, generator=seed(1))
    again = make_filters(method, images, shape, norm=0.3, generator=seed(1))
    assert (
        bank.filters.shape == shape
        and bank.filters.dtype == torch.float32
        and bank.method == method
        and len(bank) == 9
    )
    torch.testing.assert_close(bank.filters.flatten(1).norm(dim=1), torch.full((9,), 0.3))
    assert torch.equal(bank.filters, again.filters)
    assert torch.equal(before, torch.get_rng_state()), "the global random state was touched"
    if method not in ("principal_components", "pca_whitening", "cosine_basis"):
        assert not torch.equal(
            bank.filters, make_filters(method, images, shape, norm=0.3, generator=seed(2)).filters
        )


@pytest.mark.parametrize(
    "method", ["principal_components", "pca_whitening", "random_orthonormal", "cosine_basis"]
)
def test_more_than_the_space_has_is_refused(images, method):
    with pytest.raises(
        ValueError, match=r"n_filters=28 should be between 1 and 27, the C\*kh\*kw = 3\*3\*3"
    ):
        make_filters(method, images, (28, 3, 3, 3))


# The norm of each filter by "own" and by "raw"; None where it differs from filter to filter.
NORMS = {
    "principal_components": (1, 1),
    "kmeans": (1, None),
    "kmedoids": (1, 27**0.5),
    "kmedians": (1, None),
    "random_patches": (1, 27**0.5),
    "pca_whitening": (None, None),
    "random_orthonormal": (1, 1),
    "cosine_basis": (1, 1),
    "glorot_uniform": (None, None),
    "kaiming_normal": (None, None),
}


@pytest.mark.parametrize("method", METHODS)
def test_each_norm_has_one_meaning(images, method):
    def filters(norm):
        generator = torch.Generator().manual_seed(1)
        made = make_filters(method, images, (9, 3, 3, 3), norm=norm, generator=generator)
        return made.filters.flatten(1)

    own, raw = filters("own"), filters("raw")
    for found, expected in zip((own, raw), NORMS[method], strict=True):
        if expected is not None:
            torch.testing.assert_close(found.norm(dim=1), torch.full((9,), float(expected)))
        else:
            assert found.norm(dim=1).std() > 0.01
    if NORMS[method][0] is None:
        assert torch.equal(own, raw)
    if method in ("kmeans", "kmedians"):
        assert raw.norm(dim=1).max() < 27**0.5
    for found in (own, raw, filters(2), filters(np.float32(0.5))):
        torch.testing.assert_close(
            torch.nn.functional.normalize(found, dim=1), torch.nn.functional.normalize(own, dim=1)
        )
    torch.testing.assert_close(filters(np.float32(0.5)).norm(dim=1), torch.full((9,), 0.5))


def test_raw_is_what_the_filter_functions_call_none(images, patches):
    """And "own" is their default."""
    for norm, options in (("raw", {"norm": None}), ("own", {})):
        draw = lambda: torch.Generator().manual_seed(1)  # noqa: E731
        bank = make_filters("kmeans", images, (9, 3, 3, 3), norm=norm, generator=draw())
        assert torch.equal(bank.filters, kmeans(patches, 9, generator=draw(), **options).filters)
        bank = make_filters("glorot_uniform", None, (9, 3, 3, 3), norm=norm, generator=draw())
        expected = glorot_uniform((9, 3, 3, 3), generator=draw(), **options)
        assert torch.equal(bank.filters, expected.filters)


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


def test_a_zero_filter_has_no_direction():
    with pytest.raises(ValueError, match="filter 1 is zero"):
        with_norm(torch.stack([torch.ones(1, 2, 2), torch.zeros(1, 2, 2)]), 1.0)


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda x: make_filters("pca", x, (4, 3, 3, 3)),
            "method='pca' is unknown.*principal_components.*kaiming_normal",
        ),
        (lambda x: make_filters("kmeans", x, (4, 1, 3, 3)), "C=3 channels, the layer takes 1"),
        (lambda x: make_filters("kmeans", [1], (4, 1, 3, 3)), "list"),
        (lambda x: glorot_uniform((3, 3, 3)), r"shape=\(3, 3, 3\) should be \(F, C, kh, kw\)"),
        (lambda x: make_filters("kmeans", x, (3, 3, 3)), r"shape=\(3, 3, 3\) should be \(F, C"),
        (
            lambda x: random_patches(extract_patches(x[:1, :, :4, :4], 3), 5),
            "n_filters=5 should be between 1 and 4",
        ),
        (lambda x: pca_whitening(torch.full((5, 3, 3, 3), 0.5), 3), "all patches are the same"),
    ],
)
def test_bad_requests_are_named(images, call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call(images)
