"""What stands beside a run's final accuracy and decides nothing.

Losses and training accuracy; its best epoch; and what another rounding of the same run does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from ..runs.record import Result
from ..runs.settings import Settings
from .arms import Arm
from .results import Runs
from .stages import Stage


def test_loss(arm: Arm) -> np.ndarray:
    """(S,), cross-entropy on the test images at the end; NaN of a run that diverged."""
    return np.array([result.final_loss for result in arm.results])


def train_loss(arm: Arm) -> np.ndarray:
    """(S,), cross-entropy of the last epoch's batches, as they were trained on."""
    return arm.course("train_loss")[:, -1]


def train_accuracy(arm: Arm) -> np.ndarray:
    """(S, E), of each epoch's images as they were trained on, percent; NaN in older records."""
    return 100 * arm.course("train_accuracy")


def best_accuracy(arm: Arm) -> np.ndarray:
    """(S,), test accuracy of the best epoch, percent.

    The epoch is chosen on the test images, so every arm looks better than it is.
    """
    return arm.accuracy.max(axis=1)


@dataclass(frozen=True)
class Twins:
    """Runs of a stage, and the same runs in another precision: equal in all but the rounding."""

    on: Stage
    runs: tuple[Result, ...]  #: of the stage
    others: tuple[Result, ...]  #: their twins

    @property
    def differences(self) -> np.ndarray:
        """(T,), final accuracy of each twin minus that of the stage's run, pp."""
        pairs = zip(self.runs, self.others, strict=True)
        return np.array([100 * (b.correct.mean() - a.correct.mean()) for a, b in pairs])

    @property
    def spread(self) -> float:
        """Standard deviation of a run from rounding to rounding, pp; NaN from a single twin."""
        if len(self.runs) < 2:
            return float("nan")
        return float(self.differences.std(ddof=1) / np.sqrt(2))

    def in_place(self) -> Stage:
        """The stage as it would be with each twin in the place of its run."""
        assert self.on.runs is not None  # there are twins of some
        other = {run.settings: twin for run, twin in zip(self.runs, self.others, strict=True)}
        arms = tuple(
            replace(arm, results=tuple(_as_if(r.settings, other.get(r.settings, r))
                                       for r in arm.results))
            for arm in self.on.runs.arms
        )  # fmt: skip
        return replace(self.on, runs=replace(self.on.runs, arms=arms))


def twins(on: Stage, others: Runs | None) -> Twins | None:
    """What of a stage was also run in another precision; None if nothing was."""
    found = {
        replace(result.settings, precision=on.settings.precision): result
        for arm in (others.arms if others else ())
        for result in arm.results
    }
    both = [r for arm in on.arms for r in arm.results if r.settings in found]
    return Twins(on, tuple(both), tuple(found[r.settings] for r in both)) if both else None


def _as_if(settings: Settings, result: Result) -> Result:
    return replace(result, settings=settings)


@dataclass(frozen=True)
class SeedEffect:
    """How alike runs of one seed are, over all arms of a stage."""

    spread: float  #: standard deviation of a run from seed to seed, within its arm, pp
    f: float  #: of the analysis of variance, seeds beside arms
    freedom: tuple[int, int]
    p: float


def seed_effect(on: Stage) -> SeedEffect | None:
    """Whether a seed that is good for one arm is good for others: final accuracy by arm and seed.

    Pairing by seed takes out what seeds have in common, so it gains what this test can find. None
    from too few runs.
    """
    rest = on.residual(lambda arm: arm.final)
    if rest is None or not rest.variance:
        return None
    finals = [arm.final for arm in on.arms if len(arm.seeds) > 1]
    squares = sum(((final - final.mean()) ** 2).sum() for final in finals)
    freedom = sum(len(final) - 1 for final in finals)
    explained = freedom - rest.freedom
    if explained < 1:
        return None
    f = (squares - rest.variance * rest.freedom) / explained / rest.variance
    p = float(stats.f.sf(f, explained, rest.freedom))
    return SeedEffect(float(np.sqrt(squares / freedom)), float(f), (explained, rest.freedom), p)
