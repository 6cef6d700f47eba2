"""Claims 13 and 15 and the rulers of chapter 1, in worlds where the answer is known."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from benchmarks.argument.similarity import WORLDS
from companion.argument.similarity import (
    contrast_shares,
    most_similar_share,
    shared_response,
    signs_decide,
    twins,
)
from companion.claims import MIXED
from companion.intervals import Interval


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: f"{world.claim}: {world.name}")
def test_rules_find_the_truth_of_made_up_worlds(world):
    found = [world.decide(torch.Generator().manual_seed(seed)) for seed in range(5)]
    assert not any(map(world.errs, found)), found
    assert world.true in found, "a rule that decides nothing is none"


def test_kinds_of_filters_that_disagree_are_mixed():
    high, low = Interval(0.99, 0.98, 1.0, 5), Interval(0.5, 0.4, 0.6, 5)
    assert signs_decide([high, low]) == MIXED
    assert signs_decide([high, high]) is True
    assert signs_decide([high, Interval(0.94, 0.9, 0.98, 5)]) is None


@pytest.mark.parametrize("least", [0.0, 0.5, 1.0])
def test_twins_keep_the_signs(least):
    g = torch.Generator().manual_seed(0)
    filters = torch.randn(50, 27, generator=g)
    made = twins(filters, least=least, generator=g)
    assert (made.sign() == filters.sign()).all()
    torch.testing.assert_close(made.sum(1), torch.zeros(50), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.norm(dim=1), torch.ones(50))


def test_what_is_shared_by_hand():
    patches = torch.tensor([[4.0, 0], [3, 1], [0, 2], [0, 0]])
    shared = shared_response(torch.tensor([[1.0, 0]]), torch.tensor([[0.0, 1]]), patches, top=0.5)
    assert shared.maximum.item() == 0  # the best patch of one says nothing to the other
    assert shared.top.item() == 0.5  # patches 0 and 1 against 2 and 1
    expected = torch.corrcoef(patches.T)[0, 1].item()
    assert shared.correlation.item() == pytest.approx(expected, abs=1e-6)


def test_filters_of_equal_signs_respond_alike_to_next_to_no_patch():
    """Claim 14: w·p = v·p asks the patch to be at a right angle to w − v."""
    g = torch.Generator().manual_seed(1)
    filters = normalize(torch.randn(20, 27, generator=g).double(), dim=1)
    gap = (filters - twins(filters, generator=g)) @ torch.randn(27, 5000, generator=g).double()
    assert (gap.abs() > 1e-9).double().mean() > 0.9999


def test_the_most_similar_filter_of_a_pattern_need_not_respond_most():
    """A filter with an offset answers to brightness, of which the pattern knows nothing."""
    filters = torch.tensor([[1.0, 0, -1], [1, 1, 1]])
    bright = torch.tensor([[9.0, 8, 7], [9, 8, 8]])
    assert most_similar_share(normalize(filters, dim=1), bright) == 1
    assert most_similar_share(normalize(filters, dim=1), bright, of_pattern=True) == 0


def test_shares_of_contrast():
    g = torch.Generator().manual_seed(2)
    cosine = torch.rand(20_000, generator=g) * 2 - 1
    for share in contrast_shares(torch.ones(20_000), cosine).values():
        assert share == pytest.approx(0, abs=1e-3) or math.isnan(share)
    for share in contrast_shares(
        torch.rand(20_000, generator=g) + 0.01, torch.ones(20_000)
    ).values():
        assert share == pytest.approx(1, abs=1e-3) or math.isnan(share)
    logs = contrast_shares(torch.rand(20_000, generator=g).exp(), torch.randn(20_000, generator=g))
    # The logarithm of a normal variable has variance pi^2 / 8, whatever its spread.
    assert logs["variance of the logarithm"] == pytest.approx(
        (1 / 12) / (1 / 12 + math.pi**2 / 8), abs=0.01
    )
