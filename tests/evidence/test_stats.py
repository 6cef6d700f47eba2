"""Statistics against closed forms, independent implementations and simulation."""

import math

import numpy as np
import pytest
from scipy import stats as reference
from statsmodels.stats.power import TTestPower

from companion.evidence.curves import first_epoch, mean_over_epochs, smooth
from companion.evidence.significance import power, seeds_needed
from companion.intervals import (
    Interval,
    fisher,
    geometric_interval,
    mean_estimate,
    mean_interval,
    rank_correlations,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# --- Intervals and tests --------------------------------------------------------------------------


def test_interval_by_hand():
    """t(0.975, 2) = 4.302653 from the tables; mean 2, standard deviation 1."""
    interval = mean_interval([1, 2, 3])
    assert (interval.estimate, interval.n) == (2, 3)
    assert interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert 2 - interval.low == pytest.approx(interval.high - 2)


def test_interval_is_scipys(rng):
    values = rng.normal(size=7)
    expected = reference.ttest_1samp(values, 0).confidence_interval(0.9)
    interval = mean_interval(values, level=0.9)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_one_run_has_no_interval():
    one = mean_interval([3.0])
    assert one.low == -math.inf and one.high == math.inf and one.side() == 0
    assert f"{one:.1f}" == "3.0 [too few runs]"
    with pytest.raises(ValueError, match="empty"):
        mean_interval([])


def test_geometric_interval_is_the_interval_of_factors():
    interval = geometric_interval([1, 2, 4])
    assert interval.estimate == pytest.approx(2)
    assert interval.high / 2 == pytest.approx(2 / interval.low)
    assert math.log(interval.high / 2) == pytest.approx(
        4.302653 * math.log(2) / math.sqrt(3), rel=1e-6
    )
    one = geometric_interval([3.0])
    assert (one.low, one.high) == (0, math.inf)


def test_intervals_that_say_nothing_are_not_printed():
    """Of two pairs, without spread, or over more than a factor of ten: the estimate stays."""
    assert f"{mean_interval([1, 2]):.1f}" == "1.5 [too few runs]"
    assert f"{mean_interval([2, 2, 2]):.1f}" == "2.0 [too few runs]"
    assert f"{geometric_interval([1, 3, 9]):.1f}" == "3.0 [too few runs]"
    assert f"{geometric_interval([1, 1.5, 2]):.1f}" == "1.4 [0.6, 3.4]"
    # A difference may span from nearly nothing to ten times as much.
    assert f"{mean_interval([0.5, 1, 1.5]):+.1f}" == "+1.0 [−0.2, +2.2]"


@pytest.mark.parametrize(
    "low, high, sign", [(0.1, 1, 1), (-1, -0.1, -1), (-0.1, 0.1, 0), (0, 1, 0)]
)
def test_sign_of_an_interval(low, high, sign):
    interval = Interval(0, low, high, 3)
    assert interval.side() == sign and Interval(0, low + 1, high + 1, 3).side(of=1) == sign


def test_interval_as_text():
    assert f"{Interval(-0.126, -0.5, 0.25, 3):+.2f}" == "−0.13 [−0.50, +0.25]"


# --- Power ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, 5, 20])
def test_power_is_statsmodels(n):
    assert power(0.3, 0.4, n) == pytest.approx(TTestPower().power(0.3 / 0.4, n, 0.05), abs=1e-6)


def test_power_by_simulation(rng):
    found = reference.ttest_1samp(rng.normal(0.5, 0.6, (20_000, 6)), 0, axis=1).pvalue < 0.05
    assert power(0.5, 0.6, 6) == pytest.approx(found.mean(), abs=0.015)


def test_seeds_needed_is_the_smallest_number():
    needed = seeds_needed(0.3, 0.4)
    assert power(0.3, 0.4, needed) >= 0.8 > power(0.3, 0.4, needed - 1)
    assert seeds_needed(10, 0.01) == 2 and seeds_needed(1e-6, 1, most=500) == 500


def test_power_refuses_what_has_none():
    with pytest.raises(ValueError, match="n=1"):
        power(0.3, 0.4, 1)
    with pytest.raises(ValueError, match="spread=0"):
        power(0.3, 0, 5)


# --- Rank correlation -----------------------------------------------------------------------------


def test_rank_correlation_by_hand(rng):
    """One swap of neighbours among n: 1 - 6 * 2 / (n (n^2 - 1))."""
    values = np.array([[1, 2, 3, 4, 5], [1, 3, 2, 4, 5], [5, 4, 3, 2, 1]])
    assert rank_correlations(values) == pytest.approx([1, 1 - 12 / 120, -1])
    assert rank_correlations(values, [5, 4, 3, 2, 1]) == pytest.approx([-1, -0.9, 1])


def of_correlations(values):
    """Their mean on Fisher's scale, turned back."""
    return mean_estimate(fisher(values), math.tanh).interval()


def test_interval_of_correlations_stays_in_range():
    interval = of_correlations([0.9, 0.99, 1.0])
    assert 0.9 < interval.estimate < 1 and -1 < interval.low < interval.estimate < interval.high < 1
    assert of_correlations([0.5, 0.5, 0.5]).low == pytest.approx(0.5)


def test_interval_of_correlations_covers(rng):
    """Nine filters without order, five seeds: zero lies within in about 95 % of 400 experiments."""
    inside = [
        of_correlations(rank_correlations(rng.random((5, 9)))).side() == 0 for _ in range(400)
    ]
    assert 0.92 <= np.mean(inside) <= 0.98


# --- Times ----------------------------------------------------------------------------------------


def test_smoothing_by_hand():
    assert smooth([[3, 6, 9, 0]], window=3).tolist() == [[3, 4.5, 6, 5]]
    assert smooth([[3.0, 1.0]], window=5).tolist() == [[3, 2]]


def test_first_epoch_and_censoring():
    curves = [[10, 50, 90, 90, 90], [10, 10, 10, 10, 10], [90, 90, 90, 90, 90]]
    epochs, reached = first_epoch(curves, 60, window=2)
    assert epochs.tolist() == [3, 5, 1] and reached.tolist() == [True, False, True]


def test_restricted_mean_is_the_area_under_the_survival_curve(rng):
    """The mean of the censored epochs is Kaplan and Meier's restricted mean.

    All runs are equally long.
    """
    epochs, reached = first_epoch(rng.random((40, 20)).cumsum(axis=1), 10.0, window=1)
    assert 0 < reached.sum() < 40
    curve = reference.ecdf(reference.CensoredData.right_censored(epochs.astype(float), ~reached)).sf
    knots = np.concatenate([[0], curve.quantiles[curve.quantiles < 20], [20]])
    area = np.sum(np.diff(knots) * np.concatenate([[1], curve.evaluate(knots[1:-1])]))
    assert epochs.mean() == pytest.approx(area)


def test_mean_over_epochs_by_hand():
    assert mean_over_epochs([[1, 2, 6], [0, 0, 3]], 2).tolist() == [1.5, 0]
    with pytest.raises(ValueError, match="n_epochs=4"):
        mean_over_epochs([[1, 2, 3]], 4)
