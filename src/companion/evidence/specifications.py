"""Every way to look at an effect: the free choices of its statistic, each gone through once.

The choices are those of the registered protocol, for claims 6 to 10. They are exploratory, and
decide nothing. Which arms are compared is no choice: an effect has one comparison.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..claims import CLAIMS
from ..intervals import Estimate, Interval
from .arms import Arm, ArmKey
from .comparisons import (
    COMPONENTS,
    GLOROT,
    GLOROT_AT_1,
    HORIZON,
    KMEANS,
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
from .pooled import pooled_sum
from .stages import Stage


@dataclass(frozen=True)
class Turning:
    """A comparison of claims 7 and 8: filters without data over filters from data."""

    claim: str  #: and its half
    one: ArmKey  #: knows nothing of the data
    other: ArmKey  #: is held to turn less


TURNING = {
    f"{name} / {of}": Turning(claim, one, other)
    for claim, name, one in (
        ("7a", "Glorot", GLOROT),
        ("7b", "Glorot at norm 1", GLOROT_AT_1),
        ("8", "random rotation", RANDOM),
    )
    for of, other in (("components", COMPONENTS), ("k-means", KMEANS))
}
_FROZEN, _FROZEN_RANDOM = (ArmKey(key.method, frozen=True) for key in (COMPONENTS, RANDOM))
#: Both parts of claim 9: what freezing gains, pp.
FREEZING = {
    "components over random rotations": {
        _FROZEN: 1, COMPONENTS: -1, _FROZEN_RANDOM: -1, RANDOM: 1,
    },
    "components": {_FROZEN: 1, COMPONENTS: -1},
}  # fmt: skip
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
    registered: bool  #: whether a rule of the protocol is applied to it on these runs


def is_judged(on: Stage, claim: str) -> bool:
    """Whether the protocol judges a claim ("7b") by the runs of this stage on its data set."""
    number = int(claim.rstrip("ab"))
    return any(
        f"{number}{decision.half}" == claim
        and (place.study, place.dataset) == (on.study.name, on.dataset)
        for decision in CLAIMS[number].decisions
        for place in decision.places
    )


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


def turning_specifications(on: Stage, covariance: Tensor, of: Turning) -> list[Specification]:
    """How much further one arm's filters turn than another's: ratio of the first to the second.

    Empty without runs. Registered are means of the cosine distance over all filters.
    """
    measures = _measures(covariance)
    judged = is_judged(on, of.claim)
    return _kept(
        (
            {"distance": name, "over filters": over, "filters": which},
            ratio(
                on,
                of.one,
                of.other,
                measures[name] if which == ALL else without_last(measures[name]),
                _OVER_FILTERS[over],
            ),
            judged and (name, over, which) == ("cosine", "mean", ALL),
        )
        for name, over, which in itertools.product(measures, _OVER_FILTERS, (ALL, BUT_LAST))
    )


def order_specifications(
    on: Stage, covariance: Tensor, key: ArmKey = COMPONENTS
) -> list[Specification]:
    """Rank correlation of a filter's distance with its index; empty without runs.

    Registered is the cosine distance, both with and without the last filter.
    """
    measures, judged = _measures(covariance), is_judged(on, "10")
    return _kept(
        (
            {"distance": name, "filters": which},
            order(on, key, with_last=which == ALL, measure=measures[name]),
            judged and name == "cosine",
        )
        for name, which in itertools.product(measures, (ALL, BUT_LAST))
    )


def speed_specifications(
    on: Stage, one: ArmKey = COMPONENTS, other: ArmKey = GLOROT
) -> list[Specification]:
    """Difference of the accuracies averaged over the first epochs, pp, by how many these are.

    Registered are 50, or all of them where a run has fewer, in the stages that judge claim 6.
    """
    judged = is_judged(on, "6")
    horizons = [n for n in HORIZONS if n < on.epochs]
    return _kept(
        (
            {"horizon": f"{'all' if n == on.epochs else n} epochs"},
            speed(on, one, other, n),
            judged and n == min(HORIZON, on.epochs),
        )
        for n in [*horizons, on.epochs]
    )


def saving_specifications(
    on: Stage, one: ArmKey = COMPONENTS, other: ArmKey = GLOROT
) -> list[Specification]:
    """Epochs to a share of the second arm's final accuracy, by the share.

    Registered is 0.9, in the stages that judge claim 30.
    """
    judged = is_judged(on, "30")
    found = {share: epochs_saved(on, one, other, share) for share in THRESHOLDS}
    return _kept(
        (
            {"threshold": f"{share:g} of the end"},
            epochs.estimate if epochs else None,
            judged and share == THRESHOLD,
        )
        for share, epochs in found.items()
    )


def accuracy_specifications(on: Stage, weights: Mapping[ArmKey, float]) -> list[Specification]:
    """A part of claim 9, pp: of the last epoch's accuracies (registered) and the last ten's mean.

    The interval of the latter counts no other test images in: its spread is the pooled residual of
    that mean. Where a run has 30 epochs, four of the ten come before the learning rate drops.
    """
    last = accuracy(on, weights)
    late = pooled_sum(on, weights, lambda arm: _late(arm, on.epochs))
    return _kept(
        [
            ({"epochs": "last epoch"}, last.estimate if last else None, is_judged(on, "9")),
            ({"epochs": "mean of last ten"}, late, False),
        ]
    )


def _late(arm: Arm, epochs: int) -> np.ndarray:
    """(S,), mean accuracy of the last epochs."""
    return mean_over_epochs(arm.accuracy[:, ::-1], min(LAST_TEN, epochs))


@dataclass(frozen=True)
class Reach:
    """How far the specifications of an effect agree."""

    n: int  #: specifications
    above: int  #: with an estimate above what is no effect
    wholly_above: int  #: with the whole interval above it
    wholly_below: int  #: with the whole interval below it
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
