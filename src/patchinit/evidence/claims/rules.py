"""What every rule shares: three outcomes, how parts make a verdict, and the values behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a chapter that keeps a verdict does not depend on training
    from ..arms import Of
    from ..intervals import Interval
    from ..results import Runs

YES, NO, OPEN = "supported", "not supported", "undecided"
DECIDED, FULL_RUNS, MORE_SEEDS = "decided", "full runs", "more seeds"
BASE = "glorot_uniform"


@dataclass(frozen=True)
class Effect:
    """One number that a rule looks at.

    Examples
    --------
    >>> from patchinit.evidence.intervals import Interval
    >>> effect = Effect("final accuracy", "cifar10", Interval(0.5, 0.2, 0.8, 5), "pp", paper=0.09)
    >>> effect.value.side(), effect.value.side(of=effect.paper)
    (1, 1)
    """

    measure: str  #: what was measured, in a word or two
    dataset: str
    value: Interval
    unit: str  #: "pp", "epochs", "ratio", "rank correlation" or "waves"
    #: the pairs whose first arm is held against the second, averaged over them; or single arms
    arms: tuple[tuple[Of, ...], ...] = ()
    epochs: int | None = None  #: over which it was measured, if not at the end
    paper: float | None = None  #: the paper's value
    equivalent: bool = False  #: shown to lie within the margin of equivalence


@dataclass(frozen=True)
class Finding:
    """What the runs say of one claim.

    Examples
    --------
    >>> finding = Finding(1, YES, reduced=True)
    >>> finding.reading, finding.verdict, finding.needed
    ('supported', 'undecided', 'full runs')
    """

    claim: int
    reading: str  #: what the rule gives on these runs, reduced or not
    reduced: bool  #: the runs are too small to decide a claim about full ones
    effects: tuple[Effect, ...] = ()
    #: readings of the claims that this one follows from, by claim and for each data set
    parts: dict[int, list[str]] = field(default_factory=dict)
    n_seeds: int | None = None  #: that would find the paper's effects at the spread of these runs

    @property
    def verdict(self) -> str:
        """One of "supported", "not supported" and "undecided"."""
        return OPEN if self.reduced else self.reading

    @property
    def needed(self) -> str:
        """What would decide it, "full runs" or "more seeds"; "decided" if nothing is needed."""
        if self.verdict != OPEN:
            return DECIDED
        return FULL_RUNS if self.reduced or not (self.effects or self.parts) else MORE_SEEDS


def all_of(readings: Sequence[str]) -> str:
    """Supported if every part is, not supported if any part is refuted, undecided otherwise.

    Undecided without parts as well.

    Examples
    --------
    >>> all_of([YES, OPEN]), all_of([YES, NO, OPEN])
    ('undecided', 'not supported')
    """
    if NO in readings:
        return NO
    return YES if readings and all(reading == YES for reading in readings) else OPEN


def by_side(interval: Interval, *, claimed: int = 1, close: str = OPEN) -> str:
    """Supported on the claimed side of zero, not supported on the other.

    `close` is the reading of an interval that contains zero.

    Examples
    --------
    >>> from patchinit.evidence.intervals import Interval
    >>> by_side(Interval(-0.5, -0.9, -0.1, 5)), by_side(Interval(0.1, -0.2, 0.4, 5))
    ('not supported', 'undecided')
    """
    return {claimed: YES, -claimed: NO}.get(interval.side(), close)


def reduced(*runs: Runs | None) -> bool:
    """Whether any of the runs that a finding rests on are reduced ones."""
    return any(one is not None and one.reduced for one in runs)
