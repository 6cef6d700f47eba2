"""Claim 6: how fast a network learns."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.catalogue import PUBLISHED
from ..arms import Of
from ..curves import first_epoch, log_rank_p, mean_over_epochs
from ..intervals import Interval, mean_interval
from ..results import Runs
from ..significance import holm, p_value
from .rules import BASE, NO, OPEN, YES, Effect, Finding, all_of, reduced

SHARES = (0.8, 0.9, 0.95)  #: thresholds of speed, as shares of Glorot's mean final accuracy
HORIZON = 50  #: epochs that the area under the curve is taken over, or all if they are fewer


@dataclass(frozen=True)
class Speed:
    """How fast an arm learns against Glorot, on one data set.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> runs = read_runs("paper-small")  # in the book's repository
    >>> found = speed(runs, "cifar10", "kmeans")
    >>> found.horizon, list(found.epochs), found.never[0.9]
    (15, [0.8, 0.9, 0.95], 0)
    """

    dataset: str
    arm: Of
    horizon: int  #: epochs of the area
    area: Interval  #: difference of the mean accuracy up to there, pp
    area_p: float
    #: difference of the first epoch past each share of Glorot's final accuracy
    epochs: dict[float, Interval]
    never: dict[float, int]  #: runs of either arm that never got there
    log_rank: dict[float, float]  #: p


def speed(paper: Runs, dataset: str, of: Of | str) -> Speed:
    """Area under the curve and epochs to thresholds, paired by seed.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> runs = read_runs("paper-small")  # in the book's repository
    >>> print(f"{speed(runs, 'cifar10', 'kmeans').area:+.1f}")
    +1.2 [−1.5, +4.0]
    """
    ours, base = paper.paired(dataset, of, BASE)
    horizon = min(HORIZON, base.accuracy.shape[1])
    areas = mean_over_epochs(ours.accuracy, horizon) - mean_over_epochs(base.accuracy, horizon)
    epochs, never, log_rank = {}, {}, {}
    for share in SHARES:
        threshold = share * base.final.mean()
        (first, reached), (base_first, base_reached) = (
            first_epoch(a.accuracy, threshold) for a in (ours, base)
        )
        epochs[share] = mean_interval(first - base_first)
        never[share] = int((~reached).sum() + (~base_reached).sum())
        log_rank[share] = log_rank_p(first, reached, base_first, base_reached)
    return Speed(
        dataset, ours.of, horizon, mean_interval(areas), p_value(areas), epochs, never, log_rank
    )


def speed_finding(paper: Runs | None) -> Finding:
    """Claim 6: the area decides, and the epochs must not point the other way.

    These are the epochs to nine tenths of Glorot's accuracy.
    """
    of = Of("principal_components")
    present = [dataset for dataset in PUBLISHED if paper and paper.has(dataset, of, BASE)]
    speeds = [speed(paper, dataset, of) for dataset in present]
    adjusted = holm([s.area_p for s in speeds]) if speeds else []
    readings, effects = [OPEN] * (len(PUBLISHED) - len(present)), []
    for s, p in zip(speeds, adjusted, strict=True):
        if p < 0.05:
            readings.append(
                NO if s.area.estimate < 0 else YES if s.epochs[0.9].estimate <= 0 else OPEN
            )
        else:
            readings.append(OPEN)
        arms = ((of, Of(BASE)),)
        effects += [
            Effect("mean accuracy", s.dataset, s.area, "pp", arms, epochs=s.horizon),
            Effect("epochs to nine tenths", s.dataset, s.epochs[0.9], "epochs", arms),
        ]
    return Finding(6, all_of(readings), reduced(paper), tuple(effects))
