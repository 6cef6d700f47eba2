"""Claim 6: how fast a network learns."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.catalogue import DATASETS, PUBLISHED
from ..curves import first_epoch, log_rank_p, mean_over_epochs
from ..intervals import Interval, mean_interval
from ..results import Runs
from ..significance import holm, p_value
from .rules import BASE, NO, OPEN, YES, Finding, all_of, conclude

SHARES = (0.8, 0.9, 0.95)  #: thresholds of speed, as shares of Glorot's mean final accuracy
HORIZON = 50  #: epochs that the area under the curve is taken over, or all if they are fewer


@dataclass(frozen=True)
class Speed:
    """How fast an arm learns against Glorot, on one data set."""

    dataset: str
    arm: str
    horizon: int  #: epochs of the area
    area: Interval  #: difference of the mean accuracy up to there, pp
    area_p: float
    epochs: dict[
        float, Interval
    ]  #: difference of the first epoch past each share of Glorot's final accuracy
    never: dict[float, int]  #: runs of either arm that never got there
    log_rank: dict[float, float]  #: p


def speed(paper: Runs, dataset: str, arm: str) -> Speed:
    """Area under the curve and epochs to thresholds, paired by seed."""
    ours, base = paper.paired(dataset, arm, BASE)
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
        dataset, arm, horizon, mean_interval(areas), p_value(areas), epochs, never, log_rank
    )


def speed_finding(paper: Runs | None) -> Finding:
    """Claim 6: the area decides, and the epochs must not point the other way.

    These are the epochs to nine tenths of Glorot's accuracy.
    """
    arm = "principal_components"
    present = [dataset for dataset in PUBLISHED if paper and paper.has(dataset, arm, BASE)]
    speeds = [speed(paper, dataset, arm) for dataset in present]
    adjusted = holm([s.area_p for s in speeds]) if speeds else []
    readings, evidence = [OPEN] * (len(PUBLISHED) - len(present)), []
    for s, p in zip(speeds, adjusted, strict=True):
        if p < 0.05:
            readings.append(
                NO if s.area.estimate < 0 else YES if s.epochs[0.9].estimate <= 0 else OPEN
            )
        else:
            readings.append(OPEN)
        evidence.append(
            f"components minus Glorot on {DATASETS[s.dataset].label}: mean accuracy "
            f"of the first {s.horizon} epochs {s.area:+.2f} pp, "
            f"epochs to nine tenths of Glorot's accuracy {s.epochs[0.9]:+.1f}, n = {s.area.n}"
        )
    return conclude(6, all_of(readings), evidence, (paper,), "paper")
