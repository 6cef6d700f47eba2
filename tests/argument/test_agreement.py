"""One measure of agreement for components and clusters, and how outcomes are joined."""

import pytest
import torch

from companion.argument.agreement import (
    above,
    all_hold,
    in_words,
    matched_agreement,
    of_parts,
    over_choices,
)
from companion.claims import MIXED
from companion.intervals import Interval, mean_interval


def bank(n=6, seed=0):
    return torch.randn(n, 1, 3, 3, generator=torch.Generator().manual_seed(seed))


def test_order_and_length_of_the_filters_do_not_matter():
    one = bank()
    agreement = matched_agreement(one, 3 * one.flip(0))
    assert agreement.mean == pytest.approx(1) and agreement.median == pytest.approx(1)


def test_the_sign_counts_only_where_filters_have_one():
    one = bank()
    assert matched_agreement(one, -one).mean < 0.9
    assert matched_agreement(one, -one, signed=False).mean == pytest.approx(1)


def test_one_lost_filter_moves_the_mean_and_not_the_median():
    one = torch.eye(9)[:5].reshape(5, 1, 3, 3)
    other = one.clone()
    other[0] = torch.eye(9)[8].reshape(1, 3, 3)
    agreement = matched_agreement(one, other)
    assert agreement.mean == pytest.approx(0.8) and agreement.median == pytest.approx(1)


def test_banks_of_unequal_size_are_refused():
    with pytest.raises(ValueError, match="should agree"):
        matched_agreement(bank(5), bank(6))


@pytest.mark.parametrize(
    ("values", "outcome"),
    [((0.97, 0.98, 0.99), True), ((0.8, 0.81, 0.82), False), ((0.9, 1.0), None), ((0.99,), None)],
)
def test_the_whole_interval_decides(values, outcome):
    assert above(mean_interval(values)) is outcome


def test_equal_values_have_an_interval_without_width():
    assert above(mean_interval([1.0, 1.0, 1.0])) is True
    assert above(Interval(0.0, 0.0, 0.0, 3), 0.0) is None


@pytest.mark.parametrize(
    ("main", "others", "outcome"),
    [
        (True, [True, None], True), (False, [None], False), (True, [False], MIXED),
        (None, [True, False], MIXED), (None, [True], None), (True, [MIXED], MIXED),
    ],
)  # fmt: skip
def test_a_choice_that_decides_the_opposite_makes_it_mixed(main, others, outcome):
    assert over_choices(main, others) == outcome


@pytest.mark.parametrize(
    ("parts", "joined", "needed"),
    [
        ([True, True], True, True), ([False, False], False, False), ([True, False], MIXED, False),
        ([True, None], None, None), ([False, None], None, False), ([MIXED, None], MIXED, None),
    ],
)  # fmt: skip
def test_parts_that_differ(parts, joined, needed):
    assert of_parts(parts) == joined
    assert all_hold(parts) == needed


def test_every_outcome_has_a_word():
    assert len({in_words(outcome) for outcome in (True, False, None, MIXED)}) == 4
