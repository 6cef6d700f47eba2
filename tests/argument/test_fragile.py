"""A turn of a filter and what it does to its responses, in closed form."""

import pytest
import torch

from companion.argument.fragile import expected_correlation, response_correlation, turned


@pytest.mark.parametrize("degrees", [0.0, 5.0, 90.0])
def test_a_turn_has_its_angle(degrees):
    g = torch.Generator().manual_seed(0)
    filters = torch.randn(40, 27, generator=g)
    cosine = torch.cosine_similarity(filters.double(), turned(filters, degrees, generator=g))
    assert torch.rad2deg(cosine.clamp(-1, 1).acos()) == pytest.approx(degrees, abs=1e-4)


def test_weak_filters_lose_what_strong_ones_keep():
    """Measured turns of an uneven cloud's axes agree with the formula, which falls with rank."""
    g = torch.Generator().manual_seed(1)
    variances = torch.logspace(3, 0, 12, dtype=torch.float64)
    draws = torch.stack([
        response_correlation(
            torch.eye(12), turned(torch.eye(12), 5, generator=g), variances.diag()
        )
        for _ in range(400)
    ])  # fmt: skip
    expected = expected_correlation(variances, 5)
    assert (expected.diff() < 0).all() and expected[0] > 0.99 and expected[-1] < 0.9
    torch.testing.assert_close(draws.square().mean(0).sqrt(), expected, atol=0.04, rtol=0)


def test_where_all_directions_are_alike_only_the_angle_counts():
    found = expected_correlation(torch.ones(9), 60)
    torch.testing.assert_close(found, torch.full((9,), 0.5))


def test_correlation_agrees_with_responses():
    g = torch.Generator().manual_seed(2)
    points = torch.randn(5000, 8, generator=g).double() @ torch.randn(8, 8, generator=g).double()
    before, after = torch.randn(2, 3, 2, 2, 2, generator=g)
    by_hand = [
        torch.corrcoef(torch.stack([points @ a.flatten().double(), points @ b.flatten().double()]))
        for a, b in zip(before, after, strict=True)
    ]
    found = response_correlation(before, after, torch.cov(points.T))
    torch.testing.assert_close(found, torch.stack([each[0, 1] for each in by_hand]))
