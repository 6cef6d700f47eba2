"""Every way to look at an effect: the free choices of its statistic, each gone through once.

The choices are those of the registered protocol. They are exploratory, and decide nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..intervals import Estimate, Interval
from .arms import Arm, ArmKey
from .comparisons import (
    COMPONENTS,
    GLOROT,
    GLOROT_AT_1,
    HORIZON,
    KMEANS,
    PATCHES,
    RANDOM,
    THRESHOLD,
    Measure,
    accuracy,
    cosine,
    epochs_saved,
    order,
    ratio,
    response,
    speed,
)
from .curves import mean_over_epochs
from .stages import Stage

#: Filters that know nothing of the data, and components, which are held to turn less.
TURNING = {
    "Glorot": (GLOROT, COMPONENTS),
    "Glorot, norm 1": (GLOROT_AT_1, COMPONENTS),
    "random rotation": (RANDOM, COMPONENTS),
}
FINAL = {
    "components": {COMPONENTS: 1, GLOROT: -1},
    "k-means": {KMEANS: 1, GLOROT: -1},
    "random patches": {PATCHES: 1, GLOROT: -1},
}
HORIZONS = (10, 50)  # epochs; beside them all that there are
THRESHOLDS = (0.8, 0.9, 0.95)
LAST_TEN = 10  # epochs whose mean stands beside the last one's accuracy
ALL, BUT_LAST = "all filters", "without the last"
_OVER_FILTERS: dict[str, Callable[..., np.ndarray]] = {
    "mean": np.mean,
    "median": np.median,
    "largest": np.max,
}


@dataclass(frozen=True)
class Specification:
    """An effect by one set of choices."""

    choices: Mapping[str, str]  #: what was chosen, by what there was to choose
    interval: Interval  #: 95 %
    registered: bool  #: whether a rule of the protocol is applied to it


def _kept(found: Iterable[tuple[dict[str, str], Estimate | None, bool]]) -> list[Specification]:
    return [
        Specification(choices, estimate.interval(), registered)
        for choices, estimate, registered in found
        if estimate is not None
    ]


def _measures(covariance: Tensor) -> dict[str, Measure]:
    return {"cosine": cosine, "response": response(covariance)}


def without_last(measure: Measure) -> Measure:
    """The same of all filters but the last; for components that is brightness."""
    return lambda arm: measure(arm)[:, :-1]


def turning_specifications(
    on: Stage, covariance: Tensor, pairs: Mapping[str, tuple[ArmKey, ArmKey]] = TURNING
) -> list[Specification]:
    """How much further one arm's filters turn than another's: ratio of the first to the second.

    Pairs without runs are left out. Registered are means of the cosine distance over all filters.
    """
    measures = _measures(covariance)
    return _kept(
        (
            {"distance": name, "pair": pair, "over filters": over, "filters": which},
            ratio(
                on,
                *pairs[pair],
                measures[name] if which == ALL else without_last(measures[name]),
                _OVER_FILTERS[over],
            ),
            (name, over, which) == ("cosine", "mean", ALL),
        )
        for name, pair, over, which in itertools.product(
            measures, pairs, _OVER_FILTERS, (ALL, BUT_LAST)
        )
    )


def order_specifications(
    on: Stage, covariance: Tensor, key: ArmKey = COMPONENTS
) -> list[Specification]:
    """Rank correlation of a filter's distance with its index; empty without runs.

    Registered is the cosine distance, both with and without the last filter.
    """
    measures = _measures(covariance)
    return _kept(
        (
            {"distance": name, "filters": which},
            order(on, key, with_last=which == ALL, measure=measures[name]),
            name == "cosine",
        )
        for name, which in itertools.product(measures, (ALL, BUT_LAST))
    )


def speed_specifications(
    on: Stage, one: ArmKey = COMPONENTS, other: ArmKey = GLOROT
) -> list[Specification]:
    """Difference of the accuracies averaged over the first epochs, pp, by how many these are.

    Registered are 50, or all of them where a run has fewer.
    """
    horizons = [n for n in HORIZONS if n < on.epochs]
    return _kept(
        (
            {"horizon": f"{'all' if n == on.epochs else n} epochs"},
            speed(on, one, other, n),
            n == min(HORIZON, on.epochs),
        )
        for n in [*horizons, on.epochs]
    )


def saving_specifications(
    on: Stage, one: ArmKey = COMPONENTS, other: ArmKey = GLOROT
) -> list[Specification]:
    """Epochs to a share of the second arm's final accuracy, by the share; 0.9 is registered."""
    found = {share: epochs_saved(on, one, other, share) for share in THRESHOLDS}
    return _kept(
        (
            {"threshold": f"{share:g} of the end"},
            epochs.estimate if epochs else None,
            share == THRESHOLD,
        )
        for share, epochs in found.items()
    )


def accuracy_specifications(
    on: Stage, sums: Mapping[str, Mapping[ArmKey, float]] = FINAL
) -> list[Specification]:
    """Differences of final accuracies, pp: the last epoch's (registered) and the last ten's mean.

    The interval of the latter counts no other test images in: its spread is the pooled residual of
    that mean. A sum that an arm has no runs for is left out.
    """
    rows = []
    for arm, weights in sums.items():
        last = accuracy(on, weights)
        estimate = last.estimate if last else None
        rows.append(({"arm": arm, "epochs": "last epoch"}, estimate, True))
        rows.append(({"arm": arm, "epochs": "mean of last ten"}, _late(on, weights), False))
    return _kept(rows)


def _late(on: Stage, weights: Mapping[ArmKey, float]) -> Estimate | None:
    """A weighted sum of the mean accuracies over the last epochs."""

    def late(arm: Arm) -> np.ndarray:
        return mean_over_epochs(arm.accuracy[:, ::-1], min(LAST_TEN, on.epochs))

    arms, residual = on.paired(*weights), on.residual(late)
    if arms is None or residual is None:
        return None
    of = np.array(list(weights.values()))
    values = of @ np.stack([late(arm) for arm in arms])
    error = math.sqrt(residual.variance * float(np.square(of).sum()) / len(values))
    return Estimate(float(values.mean()), error, residual.freedom, len(values))


@dataclass(frozen=True)
class Reach:
    """How far the specifications of an effect agree."""

    n: int  #: specifications
    above: int  #: with an estimate above what is no effect
    told_above: int  #: with the whole interval above it
    told_below: int  #: with the whole interval below it
    least: float  #: the smallest estimate
    most: float  #: the largest


def reach(rows: Sequence[Specification], unchanged: float = 0.0) -> Reach:
    """Count on which side of no effect (1 for a ratio) the specifications lie, one or more.

    An interval of no width counts on neither side: whole epochs that happen to be equal in every
    pair say nothing of other seeds.
    """
    if not rows:
        raise ValueError("rows are empty; at least one specification is needed")
    intervals = [row.interval for row in rows]
    estimates = [interval.estimate for interval in intervals]
    sides = [interval.side(of=unchanged) for interval in intervals if interval.low < interval.high]
    return Reach(
        len(rows),
        sum(estimate > unchanged for estimate in estimates),
        sides.count(1),
        sides.count(-1),
        min(estimates),
        max(estimates),
    )
