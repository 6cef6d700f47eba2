"""What every rule shares: three outcomes, and how parts make a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a chapter that keeps a verdict does not depend on training
    from ..results import Runs

YES, NO, OPEN = "supported", "not supported", "undecided"
BASE = "glorot_uniform"


@dataclass(frozen=True)
class Finding:
    """What the runs say of one claim."""

    claim: int
    verdict: str  #: "supported", "not supported" or "undecided"
    reading: str  #: what the rule gives on these runs, reduced or not
    evidence: str  #: the effect with its interval and n
    needed: str  #: what would decide it


def all_of(readings: list[str]) -> str:
    """Supported if every part is, not supported if any part is refuted, undecided otherwise.

    Undecided without parts as well.
    """
    if NO in readings:
        return NO
    return YES if readings and all(reading == YES for reading in readings) else OPEN


def conclude(
    claim: int,
    reading: str,
    evidence: list[str],
    runs: tuple[Runs | None, ...],
    study: str,
    more: str | None = None,
) -> Finding:
    """The finding, once it is known whether the runs that it rests on are full ones."""
    reduced = any(run is not None and run.reduced for run in runs)
    verdict = OPEN if reduced else reading
    if verdict != OPEN:
        needed = "decided"
    elif reduced or not evidence:
        needed = f"full runs (patchinit run {study})"
    else:
        needed = more or f"more seeds (patchinit run {study} --seeds 10)"
    return Finding(claim, verdict, reading, "; ".join(evidence) or "no runs yet", needed)
