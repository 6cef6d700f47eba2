"""Statistics of a few paired runs: intervals, equivalence, power, times that may not be reached.

Accuracies are in percent and their differences in percentage points (pp); S seeds, N test images,
E epochs, F filters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

MARGIN = 0.2  #: pp; differences within +-MARGIN are taken for no difference


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float
    n: int  #: seeds

    def __format__(self, spec: str) -> str:
        """``f"{interval:+.2f}"`` is "+0.12 [-0.30, +0.54]", with proper minus signs."""
        if not math.isfinite(self.high):
            return f"{self.estimate:{spec}} [no interval from {self.n} run]".replace("-", "\u2212")
        text = f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"
        return text.replace("-", "\u2212")

    @property
    def sign(self) -> int:
        """+1 or -1 if the interval lies on that side of zero, 0 if it contains zero."""
        return int(self.low > 0) - int(self.high < 0)


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Mean with Student's t interval.

    Parameters
    ----------
    values : array of shape (S,)
        One a seed; for a paired difference, the differences.
    level : float
        Between 0 and 1.

    Returns
    -------
    Interval
        Without bounds (infinite) for S = 1: one run says nothing of the spread.

    Raises
    ------
    ValueError
        No values.
    """
    values = np.asarray(values, dtype=float)
    n = values.size
    if not n:
        raise ValueError("values are empty; at least one run is needed")
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = float(stats.t.ppf(0.5 + level / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def geometric_interval(values: ArrayLike) -> Interval:
    """Geometric mean with the t interval of the logarithms.

    For positive values that differ by factors.
    """
    on_scale = mean_interval(np.log(values))
    return Interval(
        math.exp(on_scale.estimate), math.exp(on_scale.low), math.exp(on_scale.high), on_scale.n
    )


def p_value(differences: ArrayLike) -> float:
    """Two-sided paired t-test that the mean difference is zero; 1 for a single pair."""
    differences = np.asarray(differences, dtype=float)
    if differences.size < 2:
        return 1.0
    if np.ptp(differences) == 0:  # no spread: the statistic is 0/0 or infinite
        return 1.0 if differences[0] == 0 else 0.0
    return float(stats.ttest_1samp(differences, 0).pvalue)


def equivalence_p(differences: ArrayLike, margin: float = MARGIN) -> float:
    """Two one-sided t-tests (TOST): small if the mean difference lies within +-margin.

    Parameters
    ----------
    differences : array of shape (S,)
    margin : float
        > 0, in the unit of the differences.

    References
    ----------
    Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach".
    """
    differences = np.asarray(differences, dtype=float)
    if not margin > 0:
        raise ValueError(f"margin={margin} should be > 0")
    if differences.size < 2:
        return 1.0
    if np.ptp(differences) == 0:
        return 0.0 if abs(differences[0]) < margin else 1.0
    return float(DescrStatsW(differences).ttost_mean(-margin, margin)[0])


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values adjusted for their number, so that any at all is wrongly below 5 % in 5 % of tables.

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    return multipletests(p_values, method="holm")[1]


def power(difference: float, spread: float, n: int) -> float:
    """Probability that a paired two-sided t-test at 5 % finds a difference.

    Parameters
    ----------
    difference : float
        The true mean difference.
    spread : float
        > 0, standard deviation of the differences from seed to seed, same unit.
    n : int
        >= 2, pairs.
    """
    if not spread > 0 or n < 2:
        raise ValueError(f"spread={spread} should be > 0 and n={n} at least 2")
    limit, shift = stats.t.ppf(0.975, n - 1), abs(difference) * math.sqrt(n) / spread
    far = (
        stats.nct.cdf(-limit, n - 1, shift) if shift < 5 else 0.0
    )  # below 1e-7, and scipy has no value for some
    return float(stats.nct.sf(limit, n - 1, shift) + far)


def seeds_needed(difference: float, spread: float, wanted: float = 0.8, most: int = 100_000) -> int:
    """Fewest pairs with which `power` reaches what is wanted; `most` if it takes more."""
    if power(difference, spread, most) < wanted:
        return most
    low, high = 1, most  # power(low) < wanted <= power(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(difference, spread, middle) >= wanted else (middle, high)
    return high


def smallest_detectable(spread: float, n: int, wanted: float = 0.8) -> float:
    """The difference that n pairs find with the power wanted, in the unit of the spread.

    Infinite for n = 1.
    """
    if n < 2:
        return math.inf
    return spread * float(
        TTestPower().solve_power(nobs=n, alpha=0.05, power=wanted, alternative="two-sided")
    )


def joint_interval(
    correct: np.ndarray, baseline: np.ndarray | None = None, *, level: float = 0.95
) -> Interval:
    """Mean accuracy or paired difference, when other seeds and another test set could be drawn.

    A t interval over seeds takes the test images as given; here both are random. What resampling
    seeds and images together estimates is worked out exactly: with the mean squares of seeds,
    images and their interaction, the variance of the mean is (MS_seeds + MS_images -
    MS_interaction) / (S N), and Satterthwaite's formula gives its degrees of freedom. If images
    made no difference, this would be the t interval.

    Parameters
    ----------
    correct : bool array of shape (S, N)
        Whether each test image was classified correctly, a line a seed.
    baseline : bool array of shape (S, N), optional
        Of the same seeds and images; given, the difference is returned.

    Returns
    -------
    Interval
        In percent, or percentage points.

    Raises
    ------
    ValueError
        The two arrays differ in shape.

    References
    ----------
    Owen (2007), "The pigeonhole bootstrap", on resampling both, which counts the interaction three
    times; Satterthwaite (1946), "An approximate distribution of estimates of variance components".
    """
    values = np.asarray(correct, dtype=float)
    if baseline is not None:
        if np.shape(baseline) != values.shape:
            raise ValueError(
                f"correct has shape {values.shape}, baseline {np.shape(baseline)}; "
                "they should agree"
            )
        values = values - np.asarray(baseline, dtype=float)
    n_seeds, n_images = values.shape
    estimate = 100 * float(values.mean())
    if n_seeds == 1:
        return Interval(estimate, -math.inf, math.inf, 1)
    by_seed, by_image = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = values - by_seed - by_image + values.mean()
    # Each term is an estimate of a variance of the mean, with its degrees of freedom.
    seeds, images = by_seed.var(ddof=1) / n_seeds, by_image.var(ddof=1) / n_images
    interaction = np.square(rest).sum() / ((n_seeds - 1) * (n_images - 1)) / (n_seeds * n_images)
    variance = max(seeds + images - interaction, seeds, images)
    if variance == 0:
        return Interval(estimate, estimate, estimate, n_seeds)
    freedom = variance**2 / (
        seeds**2 / (n_seeds - 1)
        + images**2 / (n_images - 1)
        + interaction**2 / ((n_seeds - 1) * (n_images - 1))
    )
    half = float(100 * stats.t.ppf(0.5 + level / 2, freedom) * math.sqrt(variance))
    return Interval(estimate, estimate - half, estimate + half, n_seeds)


def rank_correlations(values: ArrayLike, order: ArrayLike | None = None) -> np.ndarray:
    """Spearman's rank correlation of each seed's values with an order.

    Parameters
    ----------
    values : array of shape (S, F)
        For example each filter's cosine distance.
    order : array of shape (F,) or (S, F), optional
        Default: 1 to F, the filter's index.

    Returns
    -------
    array of shape (S,)
    """
    values = np.asarray(values, dtype=float)
    order = np.broadcast_to(np.arange(values.shape[1]) if order is None else order, values.shape)
    return np.array([stats.spearmanr(a, b).statistic for a, b in zip(values, order, strict=True)])


def correlation_interval(correlations: ArrayLike) -> Interval:
    """Mean of the seeds' correlations with a t interval on Fisher's scale (atanh), turned back.

    Correlations beyond +-0.999 count as that: with few filters a perfect order would be infinite.
    """
    on_scale = mean_interval(np.arctanh(np.clip(correlations, -0.999, 0.999)))
    return Interval(
        math.tanh(on_scale.estimate), math.tanh(on_scale.low), math.tanh(on_scale.high), on_scale.n
    )


def smooth(curves: ArrayLike, window: int = 3) -> np.ndarray:
    """Mean over an epoch and the `window` - 1 before it; (S, E) to (S, E).

    At the start over as many as there are.
    """
    curves = np.asarray(curves, dtype=float)
    sums = np.cumsum(curves, axis=1)
    sums[:, window:] -= sums[:, :-window].copy()
    return sums / np.minimum(np.arange(1, curves.shape[1] + 1), window)


def first_epoch(
    curves: ArrayLike, threshold: float, window: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """First epoch whose smoothed value is at or above a threshold.

    Parameters
    ----------
    curves : array of shape (S, E)
        For example test accuracy after each epoch.
    threshold : float
    window : int
        Epochs that `smooth` averages over.

    Returns
    -------
    epochs : int array of shape (S,)
        From 1; E for a run that never gets there, which is then censored at E.
    reached : bool array of shape (S,)
    """
    above = smooth(curves, window) >= threshold
    reached = above.any(axis=1)
    return np.where(reached, above.argmax(axis=1) + 1, above.shape[1]), reached


def log_rank_p(
    epochs: ArrayLike, reached: ArrayLike, other_epochs: ArrayLike, other_reached: ArrayLike
) -> float:
    """Log-rank test that two arms reach the threshold equally fast, censored runs counted as such.

    References
    ----------
    Mantel (1966), "Evaluation of survival data and two new rank order statistics arising in its
    consideration".
    """
    one, other = (
        stats.CensoredData.right_censored(
            np.asarray(times, dtype=float), ~np.asarray(event, dtype=bool)
        )
        for times, event in ((epochs, reached), (other_epochs, other_reached))
    )
    if not (np.any(reached) or np.any(other_reached)):
        return 1.0  # nobody got there: nothing to compare
    with np.errstate(invalid="ignore", divide="ignore"):
        p = float(stats.logrank(one, other).pvalue)
    return 1.0 if math.isnan(p) else p  # all at the same epoch: no variance, no difference


def mean_over_epochs(curves: ArrayLike, n_epochs: int) -> np.ndarray:
    """Area under the curve to an epoch, divided by the epochs; (S, E) to (S,).

    That is the mean accuracy on the way there.
    """
    curves = np.asarray(curves, dtype=float)
    if not 1 <= n_epochs <= curves.shape[1]:
        raise ValueError(
            f"n_epochs={n_epochs} should be from 1 to the {curves.shape[1]} epochs of the curves"
        )
    return curves[:, :n_epochs].mean(axis=1)
