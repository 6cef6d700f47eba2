"""The estimates that verdicts are drawn from, by the registered protocol.

The formulas are those of the registered protocol. S seeds, N test images; accuracies in percent,
differences in percentage points (pp).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..intervals import Estimate, Interval
from .significance import seeds_needed


@dataclass(frozen=True)
class Residual:
    """What is left of the spread of runs once arm and seed are accounted for.

    Examples
    --------
    >>> Residual(variance=0.25, freedom=20).variance ** 0.5  # standard deviation of one run, pp
    0.5
    """

    variance: float  #: s squared, of one run, in the square of its unit
    freedom: int  #: nu, degrees of freedom


def pooled_residual(values: Mapping[tuple[str, int], float]) -> Residual:
    """Residual variance of a least-squares fit of arm plus seed to all runs of a data set.

    Three seeds of one pair say little of their own spread; all arms together say more.

    Parameters
    ----------
    values : mapping of (arm, seed) to float
        Final accuracies, say. Arms may have different seeds.

    Returns
    -------
    Residual
        In the square of the values' unit.

    Raises
    ------
    ValueError
        No degrees of freedom are left: fewer than two arms that share two seeds.

    Examples
    --------
    >>> runs = {("a", 0): 1.0, ("a", 1): 2.0, ("b", 0): 2.0, ("b", 1): 5.0}
    >>> residual = pooled_residual(runs)  # the interaction of a 2 x 2 table
    >>> round(residual.variance, 6), residual.freedom
    (1.0, 1)
    """
    arms = sorted({arm for arm, _ in values})
    seeds = sorted({seed for _, seed in values})
    design = np.zeros((len(values), len(arms) + len(seeds)))
    for row, (arm, seed) in enumerate(values):
        design[row, arms.index(arm)] = design[row, len(arms) + seeds.index(seed)] = 1
    y = np.array(list(values.values()), dtype=float)
    fitted, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    freedom = len(y) - int(rank)
    if freedom < 1:
        raise ValueError(
            f"{len(values)} runs of {len(arms)} arms and {len(seeds)} seeds leave nothing to judge "
            "the spread by; at least two arms with two seeds in common are needed"
        )
    rest = y - design @ fitted
    return Residual(float(rest @ rest) / freedom, freedom)


@dataclass(frozen=True)
class MeanSquares:
    """The two-way table of seeds by test images of a comparison.

    Examples
    --------
    >>> squares = MeanSquares(mean=0.5, images=2600.0, rest=2200.0, n_seeds=3, n_images=10_000)
    >>> round(squares.rest / squares.n_images, 2)  # the least variance of a pair, pp squared
    0.22
    """

    mean: float  #: D, pp
    images: float  #: M_I, of the images' means over seeds; pp squared, as all mean squares are
    rest: float  #: M_R, what neither seed nor image explains
    n_seeds: int
    n_images: int


def mean_squares(correct: Sequence[np.ndarray], weights: Sequence[float]) -> MeanSquares:
    """Mean squares of a weighted sum of arms.

    Parameters
    ----------
    correct : sequence of bool arrays of shape (S, N)
        Of each arm, for the same seeds and test images: S >= 1, N >= 2.
    weights : sequence of float
        Of each arm: +1 and -1 for a pair.

    Returns
    -------
    MeanSquares
        Its mean in percentage points, its mean squares in their square.

    Raises
    ------
    ValueError
        Arms of unlike shape, or not one weight for each.

    Examples
    --------
    >>> one = np.array([[1, 1, 1, 0], [1, 1, 0, 1]], dtype=bool)  # two seeds, four images
    >>> other = np.array([[1, 0, 1, 0], [1, 0, 0, 0]], dtype=bool)
    >>> squares = mean_squares([one, other], [1, -1])
    >>> squares.mean, squares.n_seeds, squares.n_images
    (37.5, 2, 4)
    """
    if len(correct) != len(weights) or len({np.shape(arm) for arm in correct}) != 1:
        raise ValueError(
            f"correct has the shapes {[np.shape(arm) for arm in correct]} for {len(weights)} "
            "weights; one weight for each arm, and equal shapes, are needed"
        )
    parts = zip(correct, weights, strict=True)
    z = 100 * np.sum([weight * np.asarray(arm, dtype=float) for arm, weight in parts], axis=0)
    n, n_images = z.shape
    by_image, by_seed = z.mean(axis=0), z.mean(axis=1)
    rest = z - by_image - by_seed[:, None] + z.mean()
    freedom = max((n - 1) * (n_images - 1), 1)
    return MeanSquares(
        float(z.mean()),
        float(n * by_image.var(ddof=1)),
        float(np.square(rest).sum() / freedom),
        n,
        n_images,
    )


def pair_variance(squares: MeanSquares, residual: Residual, weights: Sequence[float]) -> float:
    """B, the variance of a pair from seed to seed, never below what the test images prove.

    Parameters
    ----------
    squares : MeanSquares
    residual : Residual
        Of final accuracies, percentage points squared.
    weights : sequence of float
        Of each arm, as for `mean_squares`.

    Returns
    -------
    float
        Percentage points squared, >= 0.

    Examples
    --------
    >>> squares = MeanSquares(mean=0.5, images=2600.0, rest=2200.0, n_seeds=3, n_images=10_000)
    >>> [round(pair_variance(squares, Residual(s2, 20), (1, -1)), 2) for s2 in (0.05, 0.2)]
    [0.22, 0.4]
    """
    pooled = residual.variance * float(np.square(weights).sum())
    return max(pooled, squares.rest / squares.n_images)


def accuracy_estimate(
    squares: MeanSquares, residual: Residual, weights: Sequence[float] = (1, -1)
) -> Estimate:
    """A difference of accuracies whose error counts other seeds and other test images.

    Parameters
    ----------
    squares : MeanSquares
    residual : Residual
        Of final accuracies, percentage points squared.
    weights : sequence of float
        Of each arm, as for `mean_squares`.

    Returns
    -------
    Estimate
        In percentage points; its error is infinite for a single seed.

    References
    ----------
    The two-way random-effects model, of seeds crossed with images ("multi-reader multi-case" in
    diagnostics): Gallas (2006). Degrees of freedom: Satterthwaite (1946).

    Examples
    --------
    >>> squares = MeanSquares(mean=0.5, images=2600.0, rest=2200.0, n_seeds=3, n_images=10_000)
    >>> print(f"{accuracy_estimate(squares, Residual(0.2, 20)).interval():+.2f}")
    +0.50 [−0.29, +1.29]
    """
    n, n_images, freedom = squares.n_seeds, squares.n_images, residual.freedom
    if n < 2:
        return Estimate(squares.mean, math.inf, 0, n)
    between = pair_variance(squares, residual, weights) / n
    images, rest = squares.images / (n * n_images), squares.rest / (n * n_images)
    variance = between + max(images - rest, 0.0)
    if variance == 0:
        return Estimate(squares.mean, 0.0, freedom, n)
    satterthwaite = variance**2 / (
        between**2 / freedom + images**2 / (n_images - 1) + rest**2 / ((n - 1) * (n_images - 1))
    )
    return Estimate(squares.mean, math.sqrt(variance), satterthwaite, n)


def prediction_interval(
    squares: MeanSquares,
    residual: Residual,
    weights: Sequence[float] = (1, -1),
    *,
    n_again: int = 3,
    level: float = 0.95,
) -> Interval:
    """Where the same experiment, made again with n_again seeds, would find its mean.

    The test images are the same in both, so they drop out.

    Parameters
    ----------
    squares : MeanSquares
    residual : Residual
        Of final accuracies, percentage points squared.
    weights : sequence of float
        Of each arm, as for `mean_squares`.
    n_again : int
        >= 1.
    level : float
        Between 0 and 1.

    Returns
    -------
    Interval
        In percentage points.

    Examples
    --------
    >>> squares = MeanSquares(mean=0.5, images=2600.0, rest=2200.0, n_seeds=3, n_images=10_000)
    >>> print(f"{prediction_interval(squares, Residual(0.2, 20)):+.2f}")
    +0.50 [−0.58, +1.58]
    """
    between, n = pair_variance(squares, residual, weights), squares.n_seeds
    quantile = float(stats.t.ppf(0.5 + level / 2, residual.freedom))
    half = quantile * math.sqrt(between * (1 / n + 1 / n_again))
    return Interval(squares.mean, squares.mean - half, squares.mean + half, n)


def pooled_mean_estimate(differences: ArrayLike, residual: Residual) -> Estimate:
    """Mean of n paired differences whose spread is the pooled residual's.

    Parameters
    ----------
    differences : array of shape (n,)
        Of two arms, so a difference has twice the variance of a run; n >= 1.
    residual : Residual
        Of single runs, in the square of the differences' unit.

    Returns
    -------
    Estimate
        In the unit of the differences, with the residual's degrees of freedom.

    Examples
    --------
    >>> estimate = pooled_mean_estimate([0.5, 1.0], Residual(variance=0.25, freedom=20))
    >>> estimate.value, estimate.error, estimate.freedom
    (0.75, 0.5, 20)
    """
    differences = np.asarray(differences, dtype=float)
    n = differences.size
    if not n:
        raise ValueError("differences are empty; at least one pair is needed")
    error = math.sqrt(2 * residual.variance / n)
    return Estimate(float(differences.mean()), error, residual.freedom, n)


def welch_difference(one: Estimate, other: Estimate) -> Estimate:
    """One estimate minus another that shares no seed with it, by Welch's degrees of freedom.

    Both are on one scale; the difference stays on it (a difference of logarithms, say).

    Returns
    -------
    Estimate
        Of the smaller number of pairs; its error is infinite if that is less than two.

    Examples
    --------
    >>> welch_difference(Estimate(1.0, 0.3, 2, 3), Estimate(0.5, 0.4, 2, 3)).error
    0.5
    """
    if min(one.n, other.n) < 2:
        return Estimate(one.value - other.value, math.inf, 0, min(one.n, other.n), one.back)
    variances = one.error**2, other.error**2
    total = sum(variances)
    shares = variances[0] ** 2 / one.freedom + variances[1] ** 2 / other.freedom
    freedom = total**2 / shares if shares else one.freedom + other.freedom
    return Estimate(
        one.value - other.value, math.sqrt(total), freedom, min(one.n, other.n), one.back
    )


def pairs_needed(
    difference: float, squares: MeanSquares, residual: Residual, weights: Sequence[float] = (1, -1)
) -> tuple[int, ...]:
    """Pairs that a two-sided paired t-test at 5 % needs to find a difference with a power of 0.8.

    The spread of a pair is the square root of `pair_variance`, as for the interval.

    Parameters
    ----------
    difference : float
        In percentage points.
    squares : MeanSquares
    residual : Residual
        Of final accuracies, percentage points squared.
    weights : sequence of float
        Of each arm, as for `mean_squares`.

    Returns
    -------
    tuple of three numbers
        From the residual's variance, and from both ends of its 95 % interval (chi-squared): the
        estimate, the least and the most. 100,000 stands for as many or more.

    Raises
    ------
    ValueError
        Neither runs nor images spread.

    Examples
    --------
    >>> squares = MeanSquares(mean=0.5, images=900.0, rest=600.0, n_seeds=3, n_images=10_000)
    >>> pairs_needed(0.5, squares, Residual(variance=0.09, freedom=20))
    (8, 6, 14)
    """
    shares = [1.0, *(residual.freedom / stats.chi2.ppf([0.975, 0.025], residual.freedom))]
    ends = [Residual(residual.variance * share, residual.freedom) for share in shares]
    spreads = [math.sqrt(pair_variance(squares, end, weights)) for end in ends]
    return tuple(seeds_needed(difference, spread) for spread in spreads)
