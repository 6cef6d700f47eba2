"""The registered outcomes, at both ends and on the borders."""

import math

import pytest

from companion.claims import CONTRADICTED, NO_DIFFERENCE, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from companion.evidence.outcomes import conjunction, decision_at, direction, equal_within, one_sided
from companion.intervals import Estimate, Interval


def interval(low, high):
    return Interval((low + high) / 2, low, high, 6)


@pytest.mark.parametrize(
    ("low", "high", "sign", "outcome"),
    [
        (0.3, 1.0, 1, SUPPORTED),
        (0.05, 1.0, 1, SUPPORTED),
        (0.3, 1.0, -1, CONTRADICTED),
        (-1.0, -0.3, -1, SUPPORTED),
        (-1.0, -0.3, 1, CONTRADICTED),
        (-0.1, 0.15, 1, NO_DIFFERENCE),
        (0.02, 0.16, 1, NO_DIFFERENCE),  # the paper's 0.09 pp, known exactly
        (-0.16, -0.02, 1, NO_DIFFERENCE),
        (-0.1, 0.3, 1, UNDECIDED),
        (-0.3, 0.1, -1, UNDECIDED),
        (-math.inf, math.inf, 1, UNDECIDED),
    ],
)
def test_direction(low, high, sign, outcome):
    assert direction(interval(low, high), sign) == outcome


@pytest.mark.parametrize(
    ("low", "high", "bound", "sign", "outcome"),
    [
        (1.3, 4.0, 1.25, 1, SUPPORTED),
        (1.0, 1.2, 1.25, 1, NOT_SUPPORTED),
        (1.0, 1.3, 1.25, 1, UNDECIDED),
        (0.3, 0.7, 0.8, -1, SUPPORTED),
        (0.85, 1.4, 0.8, -1, NOT_SUPPORTED),
        (0.7, 0.9, 0.8, -1, UNDECIDED),
    ],
)
def test_beyond(low, high, bound, sign, outcome):
    assert one_sided(interval(low, high), bound, sign) == outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.4, 0.3, SUPPORTED),
        (-1.9, -0.6, NOT_SUPPORTED),
        (0.6, 1.0, NOT_SUPPORTED),
        (-0.7, 0.1, UNDECIDED),
    ],
)
def test_equal_within(low, high, outcome):
    assert equal_within(interval(low, high), 0.5) == outcome


def fixed(outcome, adjusted=None):
    """A part with one outcome at 95 % and another at any stricter level."""
    return lambda level: outcome if level == 0.95 or adjusted is None else adjusted


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([SUPPORTED, UNDECIDED], UNDECIDED),
        ([SUPPORTED, CONTRADICTED], CONTRADICTED),
        ([NO_DIFFERENCE, CONTRADICTED], CONTRADICTED),
        ([NO_DIFFERENCE, SUPPORTED], NO_DIFFERENCE),
        ([NO_DIFFERENCE, NOT_SUPPORTED], NOT_SUPPORTED),
        ([UNDECIDED, UNDECIDED], UNDECIDED),
    ],
)
def test_conjunction(parts, outcome):
    assert conjunction([fixed(one) for one in parts]) == outcome


def test_supported_is_not_adjusted_and_adverse_is():
    """Of many parts one may look adverse by chance; that all look good by chance is hard enough."""
    assert conjunction([fixed(SUPPORTED, UNDECIDED)] * 3) == SUPPORTED
    assert conjunction([fixed(SUPPORTED), fixed(CONTRADICTED, UNDECIDED)]) == UNDECIDED
    levels = []
    conjunction([lambda level: levels.append(level) or UNDECIDED] * 4)
    assert max(levels) == pytest.approx(1 - 0.05 / 4)


def test_two_pairs_give_no_verdict():
    good = Estimate(1.0, 0.01, 10, 2)
    assert decision_at(good, lambda i: direction(i, 1))(0.95) == UNDECIDED
    assert decision_at(Estimate(1.0, 0.01, 10, 3), lambda i: direction(i, 1))(0.95) == SUPPORTED
    assert decision_at(None, lambda i: direction(i, 1))(0.95) == UNDECIDED
