"""What the registered rules compare: estimates of one stage on one data set, pair by pair.

Each function gives None where an arm has no runs, or no seed in common with the others that was
made under like conditions. Seeds beyond the registered ones are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from patchinit.filters.measures import response_correlation

from ..claims import ARMS
from ..intervals import Estimate, Interval, fisher, mean_estimate, mean_interval, rank_correlations
from .arms import Arm, ArmKey
from .curves import first_epoch, mean_over_epochs
from .estimates import (
    MeanSquares,
    Residual,
    accuracy_estimate,
    mean_squares,
    pair_variance,
    pooled_mean_estimate,
)
from .stages import Stage

GLOROT, COMPONENTS, KMEANS, PATCHES, RANDOM, COSINE = (
    ArmKey(**ARMS[name])
    for name in (
        "Glorot", "components", "k-means", "random patches", "random filters", "cosine basis"
    )
)  # fmt: skip
GLOROT_AT_1 = ArmKey(**ARMS["Glorot at norm 1"])

HORIZON = 50  #: epochs that speed is averaged over
THRESHOLD = 0.9  #: share of Glorot's final accuracy that the epochs saved are counted to


@dataclass(frozen=True)
class Accuracy:
    """A difference of final accuracies with what its size is judged by."""

    estimate: Estimate  #: percentage points
    squares: MeanSquares
    residual: Residual  #: of the arms whose runs count
    weights: tuple[float, ...]  #: of the arms
    differences: np.ndarray  #: (S,), the weighted sum of each seed

    @property
    def spread(self) -> float:
        """Standard deviation of a pair from seed to seed, as the interval takes it, pp."""
        return math.sqrt(pair_variance(self.squares, self.residual, self.weights))

    def half_width(self, n: int) -> float:
        """Least half width of a 95 % interval from n pairs of this spread, pp.

        Other test images would make it wider. Infinite where the spread is not known.
        """
        if not self.residual.freedom:
            return math.inf
        return float(stats.t.ppf(0.975, self.residual.freedom)) * self.spread / math.sqrt(n)

    @property
    def plain(self) -> Interval:
        """Student's t interval of the pairs alone; it decides nothing."""
        return mean_interval(self.differences)


def accuracy(
    on: Stage, weights: Mapping[ArmKey, float], below: int | None = None
) -> Accuracy | None:
    """A weighted sum of final accuracies in percentage points, +1 and -1 for a pair of arms.

    With `below`, from all runs of the seeds below it: a look at claim 2. None without runs, or from
    too few of them to judge the spread by.
    """
    arms = on.paired(*weights, below=below)
    if arms is None:
        return None
    residual = on.residual(lambda arm: arm.final, below) or _one_seed(arms[0])
    if residual is None:
        return None
    signs = tuple(weights.values())
    squares = mean_squares([arm.correct for arm in arms], signs)
    differences = np.sum([c * arm.final for c, arm in zip(signs, arms, strict=True)], axis=0)
    estimate = accuracy_estimate(squares, residual, signs)
    return Accuracy(estimate, squares, residual, signs, differences)


def _one_seed(arm: Arm) -> Residual | None:
    """What one seed tells of the spread: that there is no telling."""
    return Residual(math.inf, 0) if len(arm.seeds) == 1 else None


def speed(
    on: Stage, one: ArmKey = COMPONENTS, other: ArmKey = GLOROT, horizon: int = HORIZON
) -> Estimate | None:
    """Difference of accuracies averaged over the first `horizon` epochs (a restricted mean), pp.

    None without runs, or from too few to judge the spread by.
    """

    def area(arm: Arm) -> np.ndarray:
        return mean_over_epochs(arm.accuracy, min(horizon, arm.accuracy.shape[1]))

    return difference(on, one, other, area)


def difference(
    on: Stage, one: ArmKey, other: ArmKey, value: Callable[[Arm], np.ndarray]
) -> Estimate | None:
    """Difference of two arms in any value of a run, (S,) of an arm, in the value's unit.

    Its spread is pooled over all arms; other test images are not counted in. None without runs,
    from too few to judge the spread by, or where a run of the stage has no finite value.
    """
    arms = on.paired(one, other)
    if arms is None or not all(np.isfinite(value(arm)).all() for arm in on.arms):
        return None
    residual = on.residual(value) or _one_seed(arms[0])
    if residual is None:
        return None
    return pooled_mean_estimate(value(arms[0]) - value(arms[1]), residual)


@dataclass(frozen=True)
class Saved:
    """Epochs to a share of Glorot's final accuracy."""

    estimate: Estimate  #: difference of the first epochs, pair by pair
    never: int  #: runs of either arm that never got there; each counts with its last epoch


def epochs_saved(
    on: Stage, one: ArmKey = COMPONENTS, other: ArmKey = GLOROT, share: float = THRESHOLD
) -> Saved | None:
    """Epochs of the first arm minus the second's to a share of the second's mean final accuracy.

    Below 0 if the first is earlier; curves are smoothed (`first_epoch`). None without runs.
    """
    arms = on.paired(one, other)
    if arms is None:
        return None
    goal = share * arms[1].final.mean()
    (first, reached), (base, base_reached) = (first_epoch(arm.accuracy, goal) for arm in arms)
    never = int((~reached).sum() + (~base_reached).sum())
    return Saved(mean_estimate(first - base), never)


Measure = Callable[[Arm], np.ndarray]  # (S, F) of an arm, a line a seed


def cosine(arm: Arm) -> np.ndarray:
    """(S, F), cosine distance of each filter from its start, at the end; 0 to 2."""
    return arm.final_distances


def response(covariance: Tensor) -> Measure:
    """Response distance: 1 minus the correlation of responses at start and end, 0 to 2.

    The covariance, (d, d), is that of raw patches.
    """

    def measure(arm: Arm) -> np.ndarray:
        ends = [(torch.from_numpy(a), torch.from_numpy(b)) for a, b in arm.ends]
        return np.stack([1 - response_correlation(a, b, covariance).numpy() for a, b in ends])

    return measure


def ratio(
    on: Stage,
    one: ArmKey,
    other: ArmKey,
    measure: Measure = cosine,
    over_filters: Callable[..., np.ndarray] = np.mean,
) -> Estimate | None:
    """How much further one arm's filters turn than another's: ratio of the mean distances.

    The geometric mean over seeds: an estimate of the logarithm, whose interval is of the ratio,
    > 0. None without runs.
    """
    arms = on.paired(one, other)
    if arms is None:
        return None
    first, second = (over_filters(measure(arm), axis=1) for arm in arms)
    return mean_estimate(np.log(first / second), math.exp)


def order(
    on: Stage, key: ArmKey = COMPONENTS, *, with_last: bool = True, measure: Measure = cosine
) -> Estimate | None:
    """Rank correlation of a filter's distance with its index, averaged after Fisher's transform.

    The estimate is on Fisher's scale, its interval of the correlation, -1 to 1. None without runs.
    """
    arms = on.paired(key)
    if arms is None:
        return None
    distances = measure(arms[0]) if with_last else measure(arms[0])[:, :-1]
    return mean_estimate(fisher(rank_correlations(distances)), math.tanh)


def rank_of_last(on: Stage, key: ArmKey = COMPONENTS) -> list[int]:
    """Rank of the last filter's distance in each seed, 1 to F (furthest); empty without runs."""
    arms = on.paired(key)
    if arms is None:
        return []
    return [int((row <= row[-1]).sum()) for row in arms[0].final_distances]


def beside_noise(null: Stage, trained: Stage, key: ArmKey) -> list[tuple[np.ndarray, np.ndarray]]:
    """Distances (F,) with noise for labels and with the true ones, after the null's epochs.

    A pair for each seed that both stages have, made under like conditions; empty without runs.
    """
    found = []
    for on in (null, trained):
        arm = on.arm(key)
        if on.runs is None or arm is None:
            return []
        under = map(on.runs.made_under, arm.results)
        after = arm.distances[:, null.epochs]
        found.append(dict(zip(arm.seeds, zip(under, after, strict=True), strict=True)))
    noise, informed = found
    return [
        (distances, informed[seed][1])
        for seed, (under, distances) in noise.items()
        if seed in informed and informed[seed][0] == under
    ]


def turned_by_noise(null: Stage, trained: Stage, key: ArmKey) -> list[float]:
    """Mean distance of trained filters over that with noise for labels, after the null's epochs.

    > 0, one for each seed that both stages have, made under like conditions; empty without runs.
    """
    pairs = beside_noise(null, trained, key)
    return [float(informed.mean() / noise.mean()) for noise, informed in pairs]
