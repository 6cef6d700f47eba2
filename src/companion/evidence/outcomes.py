"""The outcomes of the registered rules, and how parts make a verdict.

A rule looks at an interval and names an outcome. A *part* is such a look at any level, so that a
claim of several parts can be adjusted for how many it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..claims import (
    ACCURACY_MARGIN,
    ADVERSE,
    CONTRADICTED,
    NO_DIFFERENCE,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
)
from ..intervals import Estimate, Interval

LEAST_PAIRS = 3  #: two pairs give no verdict
LOOKS = {4: 0.978, 6: 0.978, 8: 0.978}  #: level of the interval at each look of claim 2

DecisionAt = Callable[[float], str]  #: from the level of the interval to an outcome


def direction(interval: Interval, sign: int, margin: float = ACCURACY_MARGIN) -> str:
    """Whether a difference has the claimed sign, +1 or -1, or is wholly within the margin: none."""
    if -margin < interval.low and interval.high < margin:
        return NO_DIFFERENCE
    if interval.side() == sign:
        return SUPPORTED
    return CONTRADICTED if interval.side() == -sign else UNDECIDED


def one_sided(interval: Interval, bound: float, sign: int = 1) -> str:
    """Whether a number lies on the claimed side of a bound: above for +1, below for -1."""
    side = interval.side(bound)
    return {sign: SUPPORTED, -sign: NOT_SUPPORTED, 0: UNDECIDED}[side]


def no_more_than(interval: Interval, margin: float) -> str:
    """Whether a difference is at most so large: wholly below the margin supported, above it not."""
    return {-1: SUPPORTED, 1: CONTRADICTED, 0: UNDECIDED}[interval.side(margin)]


def equal_within(interval: Interval, margin: float) -> str:
    """Whether a difference is none: wholly inside the margins supported, wholly outside not."""
    if -margin < interval.low and interval.high < margin:
        return SUPPORTED
    outside = interval.low > margin or interval.high < -margin
    return NOT_SUPPORTED if outside else UNDECIDED


def positive(interval: Interval) -> str:
    """Whether a difference lies above zero; none, or one below, is just not what is claimed."""
    outcome = direction(interval, +1)
    return NOT_SUPPORTED if outcome in (CONTRADICTED, NO_DIFFERENCE) else outcome


def decision_at(estimate: Estimate | None, look: Callable[[Interval], str]) -> DecisionAt:
    """A look at an estimate at any level; undecided without runs or from fewer than three pairs."""

    def at(level: float) -> str:
        if estimate is None or estimate.n < LEAST_PAIRS:
            return UNDECIDED
        return look(estimate.interval(level))

    return at


def conjunction(parts: Sequence[DecisionAt], level: float = 0.95) -> str:
    """The verdict on a claim that holds if all of its parts do.

    Supported needs every part at 95 %. One adverse part is enough against it, but of many one may
    look adverse by chance: it counts if it is adverse at the level 1 - 0.05 / k too, the first step
    of Holm's procedure. A second look has another level.
    """
    if parts and all(at(level) == SUPPORTED for at in parts):
        return SUPPORTED
    adjusted = [at(1 - (1 - level) / len(parts)) for at in parts]
    return next((outcome for outcome in ADVERSE if outcome in adjusted), UNDECIDED)
