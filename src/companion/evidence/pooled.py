"""Comparisons whose spread all arms tell together: exploratory, and of what no rule judges.

Accuracies have `comparisons.accuracy`, which counts other test images in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ..intervals import Estimate
from .arms import Arm, ArmKey
from .comparisons import Measure, cosine
from .stages import Stage


def pooled_sum(
    on: Stage, weights: Mapping[ArmKey, float], value: Callable[[Arm], np.ndarray]
) -> Estimate | None:
    """A weighted sum of a value (S,) of each arm, +1 and -1 for a pair, in the value's unit.

    Its error is the pooled residual's of that value, of arm plus seed over all arms. None without
    runs, or where nothing is left to judge the spread by.
    """
    arms, residual = on.paired(*weights), on.residual(value)
    if arms is None or residual is None:
        return None
    signs = np.array(list(weights.values()))
    values = signs @ np.stack([value(arm) for arm in arms])
    error = math.sqrt(residual.variance * float(np.square(signs).sum()) / len(values))
    return Estimate(float(values.mean()), error, residual.freedom, len(values))


def pooled_ratio(
    on: Stage, one: ArmKey, other: ArmKey, measure: Measure = cosine
) -> Estimate | None:
    """`comparisons.ratio` of mean distances, with the spread of a log distance over trained arms.

    Three pairs have two degrees of freedom of their own; all arms together have many more.
    """
    moving = frozenset(arm.key for arm in on.arms if not arm.settings.frozen)
    found = pooled_sum(
        replace(on, spread_arms=moving),
        {one: 1, other: -1},
        lambda arm: np.log(measure(arm).mean(axis=1)),
    )
    return replace(found, back=math.exp) if found else None


def training_loss(arm: Arm) -> np.ndarray:
    """(S,), cross-entropy of the last epoch's batches as they were trained on.

    Of a run that diverged that of its last epoch with a finite one.
    """
    courses = ([e.train_loss for e in r.epochs if math.isfinite(e.train_loss)] for r in arm.results)
    return np.array([course[-1] for course in courses])
