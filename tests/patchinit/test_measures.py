"""Measures against closed forms and independent computations."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from patchinit.filters import (
    cosine_distance,
    cosine_similarity,
    cosine_terms,
    effective_rank,
    overlaps,
    random_orthonormal,
    response_correlation,
    responses,
)
from patchinit.filters.matching import match, principal_angles
from patchinit.patches import extract_patches


@pytest.fixture
def filters(generator):
    return torch.randn(8, 3, 3, 3, generator=generator)


@pytest.fixture
def orthonormal(generator):
    return random_orthonormal((27, 3, 3, 3), generator=generator).filters


def test_distance_is_0_unchanged_1_orthogonal_2_reversed(orthonormal):
    ones = torch.ones(27, dtype=torch.float64)
    for other, distance in (
        (3.7 * orthonormal, 0), (orthonormal.roll(1, 0), 1), (-0.2 * orthonormal, 2)
    ):  # fmt: skip
        seen = cosine_distance(orthonormal, other)
        torch.testing.assert_close(seen, distance * ones, atol=1e-6, rtol=0)


@settings(deadline=None, max_examples=40)
@given(angle=st.floats(0, math.pi), scale=st.floats(1e-3, 1e3))
def test_similarity_is_the_cosine_of_the_angle(angle, scale):
    a = torch.tensor([[[[1.0, 0.0]]]], dtype=torch.float64)
    b = scale * torch.tensor([[[[math.cos(angle), math.sin(angle)]]]], dtype=torch.float64)
    assert cosine_similarity(a, b).item() == pytest.approx(math.cos(angle), abs=1e-12)


def test_similarity_equals_torchs_and_broadcasts(filters, generator):
    others = torch.randn(8, 3, 3, 3, generator=generator)
    expected = F.cosine_similarity(filters.flatten(1).double(), others.flatten(1).double())
    torch.testing.assert_close(cosine_similarity(filters, others), expected)
    one = cosine_similarity(filters[:1], others)
    assert one.shape == (8,)
    torch.testing.assert_close(one[3:4], cosine_similarity(filters[:1], others[3:4]))


def test_a_zero_filter_has_no_angle(filters):
    filters[2] = 0
    found = cosine_similarity(filters, torch.ones_like(filters))
    assert found.isnan().nonzero().tolist() == [[2]]


@pytest.mark.parametrize("noise", range(5))
def test_similarity_never_leaves_its_range(noise):
    """Rounding would carry parallel vectors beyond 1, where arccos is not defined."""
    a = torch.rand(500, 3, 3, 3, generator=torch.Generator().manual_seed(noise))
    for b in (a, -a, a * 0.1):
        assert cosine_similarity(a, b).abs().max() <= 1


def test_overlaps_are_every_pair_once(filters):
    flat = filters.flatten(1).double().numpy()
    expected = [
        flat[i] @ flat[j] / np.linalg.norm(flat[i]) / np.linalg.norm(flat[j])
        for i in range(8)
        for j in range(i + 1, 8)
    ]
    np.testing.assert_allclose(overlaps(filters), expected, atol=1e-12)


@pytest.mark.parametrize("n", [1, 5, 27])
def test_effective_rank_of_orthogonal_filters_is_their_number(orthonormal, n):
    scales = torch.rand(n, 1, 1, 1, generator=torch.Generator().manual_seed(n)) + 0.1
    assert effective_rank(orthonormal[:n] * scales) == pytest.approx(n, rel=1e-5)


def test_effective_rank_of_parallel_filters_is_1(filters):
    parallel = filters[:1] * torch.tensor([1.0, -2.0, 0.3, 9.0])[:, None, None, None]
    assert effective_rank(parallel) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("twins", [1, 3])
def test_effective_rank_in_between(orthonormal, twins):
    """One direction `twins + 1` times and one once: exp of the entropy of those shares."""
    share = (twins + 1) / (twins + 2)
    expected = math.exp(-share * math.log(share) - (1 - share) * math.log(1 - share))
    bank = orthonormal[[0] * (twins + 1) + [1]]
    assert effective_rank(bank) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("signed", [True, False])
def test_match_recovers_a_permutation(filters, generator, signed):
    order = torch.randperm(8, generator=generator)
    scales = torch.linspace(0.5, 3, 8)[:, None, None, None]
    if not signed:
        scales[::3] *= -1
    shuffled = torch.empty_like(filters)
    shuffled[order] = filters * scales
    found, similarity = match(filters, shuffled, signed=signed)
    assert torch.equal(found, order)
    torch.testing.assert_close(similarity, torch.ones(8, dtype=torch.float64))
    if not signed:
        assert match(filters, shuffled)[1].sum() < 7.9


@pytest.mark.parametrize("seed", range(5))
def test_match_is_the_best_of_all_permutations(seed):
    from itertools import permutations

    a, b = torch.randn(2, 5, 1, 2, 2, generator=torch.Generator().manual_seed(seed))
    cosines = F.normalize(a.flatten(1).double()) @ F.normalize(b.flatten(1).double()).T
    best = max(
        sum(cosines[i, j].item() for i, j in enumerate(order)) for order in permutations(range(5))
    )
    order, similarity = match(a, b)
    assert similarity.sum().item() == pytest.approx(best)
    torch.testing.assert_close(cosine_similarity(a, b[order]), similarity)


def test_responses_are_what_conv2d_computes(images, filters):
    expected = F.conv2d(images, filters).transpose(0, 1).flatten(1)  # from (N, F, rows, cols)
    seen = responses(filters, extract_patches(images, 3))
    torch.testing.assert_close(seen, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "function, shape, words",
    [
        (cosine_distance, (4, 3, 5, 5), r"a has filters of shape \(3, 3, 3\), b of \(3, 5, 5\)"),
        (principal_angles, (4, 3, 5, 5), r"a has filters of shape \(3, 3, 3\), b of \(3, 5, 5\)"),
        (match, (5, 3, 3, 3), r"a has shape \(4, 3, 3, 3\), b \(5, 3, 3, 3\)"),
        (responses, (9, 27), r"filters have shape \(3, 3, 3\), patches \(27,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(function, shape, words):
    with pytest.raises(ValueError, match=words + "; they should agree"):
        function(torch.ones(4, 3, 3, 3), torch.ones(shape))


# --- How filters change ---------------------------------------------------------------------------


def test_response_correlation_is_that_of_the_responses(filters, generator):
    patches = torch.randn(5_000, 3, 3, 3, generator=generator).cumsum(1)
    others = filters + 0.5 * torch.randn(8, 3, 3, 3, generator=generator)
    both = responses(torch.cat([filters, others]), patches)
    seen = np.corrcoef(both.numpy()).diagonal(offset=8)
    covariance = torch.from_numpy(np.cov(patches.flatten(1).T.double().numpy()))
    np.testing.assert_allclose(response_correlation(filters, others, covariance), seen, atol=1e-5)


def test_response_correlation_counts_only_directions_that_patches_have(filters):
    """What is added along a direction without variance does not change a response."""
    covariance = torch.diag(torch.tensor([1.0] * 26 + [0.0]))
    moved = filters.clone()
    moved[:, 2, 2, 2] += 100
    as_before = response_correlation(filters, moved, covariance)
    torch.testing.assert_close(as_before, torch.ones(8).double())
    assert cosine_distance(filters, moved).min() > 0.5
    plain = response_correlation(filters, moved, torch.eye(27))
    torch.testing.assert_close(plain, 1 - cosine_distance(filters, moved))
    with pytest.raises(ValueError, match="covariance has shape"):
        response_correlation(filters, moved, torch.eye(9))
    with pytest.raises(ValueError, match="they should agree"):
        response_correlation(filters, moved[:3], covariance)


def test_principal_angles_in_a_plane(orthonormal):
    """Two planes that share a line: 0 degrees, and the angle that they were built with."""
    turned = orthonormal[:2].clone()
    turned[1] = math.cos(0.3) * orthonormal[1] + math.sin(0.3) * orthonormal[2]
    angles = principal_angles(orthonormal[:2], turned).tolist()
    assert angles == pytest.approx([math.degrees(0.3), 0], abs=1e-3)
    assert principal_angles(orthonormal, orthonormal.roll(1, 0)).max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_banks_are_held_against_a_networks_own_weights(filters, dtype):
    """Which are parameters that a gradient is computed for."""
    weight = torch.nn.Parameter(filters.roll(3, 0).to(dtype))
    order, similarity = match(filters, weight)
    assert torch.equal(order, torch.arange(8).roll(-3)) and not similarity.requires_grad
    assert similarity.min() > 1 - 1e-4
    angles = principal_angles(weight, filters)
    assert angles.shape == (8,) and angles.max() < 1


def test_cosine_terms_of_known_filters(generator):
    i = torch.arange(3, dtype=torch.float64)
    wave = torch.cos(math.pi * (i + 0.5) * 2 / 3)[:, None] * torch.cos(math.pi * (i + 0.5) / 3)
    red_minus_blue = torch.stack([wave, 0 * wave, -wave])[None]
    assert cosine_terms(red_minus_blue).item() == pytest.approx(1)
    assert cosine_terms(torch.ones(1, 3, 3, 3)).item() == pytest.approx(1)
    two = red_minus_blue / red_minus_blue.norm() + torch.ones(1, 3, 3, 3) / 27**0.5
    assert cosine_terms(two).item() == pytest.approx(2)
    torch.testing.assert_close(cosine_terms(7 * two), cosine_terms(two))
    for channels in (1, 3):
        noise = torch.randn(4_000, channels, 3, 3, generator=generator)
        # Shares of the energy of d normal weights have a Dirichlet distribution, whose mean
        # entropy is known.
        expected = digamma(9 * channels / 2 + 1) - digamma(1.5)
        assert cosine_terms(noise).log().mean().item() == pytest.approx(expected, abs=0.02)
    with pytest.raises(ValueError, match="C=2"):
        cosine_terms(torch.ones(1, 2, 3, 3))
