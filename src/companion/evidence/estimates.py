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
    """What is left of the spread of runs once arm and seed are accounted for."""

    variance: float  #: s squared, of one run, in the square of its unit
    freedom: int  #: nu, degrees of freedom


def pooled_residual(values: Mapping[tuple[str, int], float]) -> Residual:
    """Residual variance of a least-squares fit of arm plus seed to all runs of a data set.

    Of values by (arm, seed): three seeds of one pair say little of their own spread; all arms
    together say more. ValueError if no freedom is left.
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
    """The two-way table of seeds by test images of a comparison."""

    mean: float  #: D, pp
    images: float  #: M_I, of the images' means over seeds; pp squared, as all mean squares are
    rest: float  #: M_R, what neither seed nor image explains
    n_seeds: int
    n_images: int


def mean_squares(correct: Sequence[np.ndarray], weights: Sequence[float]) -> MeanSquares:
    """Mean squares of a weighted sum of arms, from (S, N) bools of each; S >= 1, N >= 2."""
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
    """B, variance of a pair from seed to seed, pp²; never below what the test images prove."""
    pooled = residual.variance * float(np.square(weights).sum())
    return max(pooled, squares.rest / squares.n_images)


def accuracy_estimate(
    squares: MeanSquares, residual: Residual, weights: Sequence[float] = (1, -1)
) -> Estimate:
    """A difference of accuracies, pp, whose error counts other seeds and other test images.

    The two-way random-effects model, of seeds crossed with images ("multi-reader multi-case" in
    diagnostics): Gallas (2006). Degrees of freedom: Satterthwaite (1946). The error is infinite for
    a single seed.
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
    """Where the same experiment, made again with n_again seeds, would find its mean, pp.

    The test images are the same in both, so they drop out.
    """
    between, n = pair_variance(squares, residual, weights), squares.n_seeds
    quantile = float(stats.t.ppf(0.5 + level / 2, residual.freedom))
    half = quantile * math.sqrt(between * (1 / n + 1 / n_again))
    return Interval(squares.mean, squares.mean - half, squares.mean + half, n)


def pooled_mean_estimate(differences: ArrayLike, residual: Residual) -> Estimate:
    """Mean of n >= 1 paired differences whose spread is the pooled residual's, of single runs."""
    differences = np.asarray(differences, dtype=float)
    n = differences.size
    if not n:
        raise ValueError("differences are empty; at least one pair is needed")
    error = math.sqrt(2 * residual.variance / n)
    return Estimate(float(differences.mean()), error, residual.freedom, n)


def welch_difference(one: Estimate, other: Estimate) -> Estimate:
    """One estimate minus another that shares no seed with it, by Welch's degrees of freedom.

    All on one scale (logarithms, say); the error is infinite from less than two pairs of either.
    A difference of correlations stays on Fisher's scale: turned back it would be none of them.
    """
    back = float if one.back is math.tanh else one.back
    if min(one.n, other.n) < 2:
        return Estimate(one.value - other.value, math.inf, 0, min(one.n, other.n), back)
    variances = one.error**2, other.error**2
    total = sum(variances)
    shares = variances[0] ** 2 / one.freedom + variances[1] ** 2 / other.freedom
    freedom = total**2 / shares if shares else one.freedom + other.freedom
    return Estimate(one.value - other.value, math.sqrt(total), freedom, min(one.n, other.n), back)


def pairs_needed(
    difference: float, squares: MeanSquares, residual: Residual, weights: Sequence[float] = (1, -1)
) -> tuple[int, ...]:
    """Pairs that a two-sided paired t-test at 5 % needs for a power of 0.8 at a difference, pp.

    From the residual's variance, and from both ends of its 95 % interval (chi-squared): the
    estimate, the least and the most. 100,000 stands for as many or more.
    """
    shares = [1.0, *(residual.freedom / stats.chi2.ppf([0.975, 0.025], residual.freedom))]
    ends = [Residual(residual.variance * share, residual.freedom) for share in shares]
    spreads = [math.sqrt(pair_variance(squares, end, weights)) for end in ends]
    return tuple(seeds_needed(difference, spread) for spread in spreads)
