"""k-means beside its rivals: filters from labels, noise, growth; the parts of claim 29."""

import math

import numpy as np
import pytest
import torch

from companion.argument.rivals import (
    ahead,
    bank_agreement,
    cluster_means,
    growth,
    number_moves,
    rand_index,
    rivals_hold,
    scales,
)
from companion.claims import MIXED
from companion.intervals import Interval


def interval(low, high):
    return Interval((low + high) / 2, low, high, 6)


def test_noise_gives_no_filter():
    points = np.arange(12.0).reshape(4, 3)
    means = cluster_means(points, np.array([1, -1, 1, 0]))
    assert means.squeeze().tolist() == [[9, 10, 11], [3, 4, 5]]
    assert cluster_means(points, np.full(4, -1)).shape == (0, 1, 1, 3)


def test_a_missing_filter_agrees_with_nothing():
    bank = torch.eye(4).reshape(4, 1, 1, 4)
    assert bank_agreement(bank, bank) == pytest.approx(1)
    assert bank_agreement(bank, bank[:3]) == bank_agreement(bank[:3], bank) == pytest.approx(0.75)


def test_noise_that_stays_noise_can_be_left_out():
    quiet = np.array([-1] * 50 + [0, 0, 1, 1])
    other = np.array([-1] * 50 + [0, 1, 0, 1])
    assert rand_index(quiet, other) > 0.9 > 0 > rand_index(quiet, other, with_noise=False)
    assert math.isnan(rand_index(quiet[:50], other[:50], with_noise=False))


@pytest.mark.parametrize("power", [1, 1.5, 2])
def test_growth_of_a_power(power):
    sizes = np.array([1000, 3000, 10000])
    assert growth(sizes, 7 * sizes**power) == pytest.approx(power)


def test_each_part_has_three_outcomes():
    assert [scales(interval(*x)) for x in ((1, 1.8), (2.1, 3), (1.8, 2.2))] == [True, False, None]
    leads = [ahead(interval(*x)) for x in ((0.01, 0.2), (-0.1, 0.04), (-0.1, 0.1))]
    assert leads == [True, False, None]
    moved = [number_moves(interval(*x)) for x in ((15, 60), (0, 8), (5, 60))]
    assert moved == [True, False, None]


HIGH, LOW, OPEN = interval(0.1, 0.2), interval(-0.2, -0.1), interval(-0.1, 0.1)


@pytest.mark.parametrize(
    ("exponent", "change", "choices", "repeats", "outcome"),
    [
        (interval(1, 1.5), interval(20, 90), [HIGH], [HIGH, HIGH], True),
        (interval(2.1, 3), interval(0, 5), [LOW], [LOW], False),
        (interval(1, 1.5), interval(20, 90), [HIGH], [LOW, LOW], MIXED),
        (interval(1, 1.5), interval(20, 90), [HIGH], [HIGH, LOW], MIXED),
        (interval(1, 1.5), interval(20, 90), [HIGH], [HIGH, OPEN], None),
    ],
)
def test_claim_29_joins_its_parts(exponent, change, choices, repeats, outcome):
    assert rivals_hold(exponent, change, choices, repeats) == outcome
