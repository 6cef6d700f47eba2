"""Claims 7 and 8 by both measures, in words: the cosine distance, which decides, and responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..claims import ADVERSE, SUPPORTED
from ..evidence.judge import DECIDED, Reading, Verdict
from .phrases import compared, verdict_phrase
from .typography import proper_minus

if TYPE_CHECKING:
    from ..intervals import Estimate


def times(estimate: Estimate | None) -> str:
    """A ratio with its 95 % interval, where it has one worth printing; else empty."""
    interval = estimate.interval() if estimate else None
    return f"{interval:.2f}" if interval and interval.shown else ""


def how_far(estimate: Estimate, alike: str = "as far") -> str:
    """A ratio of distances in one phrase.

    >>> from companion.intervals import mean_estimate
    >>> ratios = [mean_estimate([ratio]) for ratio in (0.77, 1.13, 3.29, 0.998)]
    >>> [how_far(ratio) for ratio in ratios]
    ['23 % less', '13 % more', '3.3 times as far', 'as far']
    """
    value = estimate.interval().estimate
    if value >= 2:
        return f"{value:.1f} times {alike}"
    share = round(100 * abs(value - 1))
    return f"{share} % {'more' if value > 1 else 'less'}" if share else alike


def measure_rows(verdicts: Sequence[Verdict], least: int = 3) -> list[dict[str, str]]:
    """A line for each part of claims 7 and 8: both ratios, and what the rule says by each.

    Only parts of at least so many pairs.
    """
    rows = []
    for verdict in verdicts:
        twins = verdict.by_response or (None,) * len(verdict.readings)
        beside = verdict.beside if verdict.state == DECIDED else None
        for cosine, response in zip(verdict.readings, twins, strict=True):
            if cosine.n >= least:
                n = f"n = {cosine.n}".replace(" ", "\N{NO-BREAK SPACE}")
                rows.append(
                    {
                        "claim": f"{verdict.claim}, {n}",
                        "verdict": verdict_phrase(verdict).partition(";")[0],
                        "by responses": beside.outcome if beside else "",
                        "compared": compared(cosine),
                        "cosine": times(cosine.estimate),
                        "responses": times(response.estimate) if response else "",
                    }
                )
    return rows


def two_measures(verdict: Verdict) -> str:
    """What responses would make of a decided verdict on claim 7 or 8, and which parts differ.

    Empty where nothing is decided, or where no images are at hand.
    """
    if verdict.beside is None or verdict.state != DECIDED:
        return ""
    by_response = verdict.beside.outcome
    ours, theirs = _against(verdict.readings), _against(verdict.by_response)
    if by_response != verdict.outcome:
        why = f"what falls short is {theirs}" if theirs else "both parts hold"
        return f"By responses the same rule would say {by_response}: {why}."
    if ours == theirs:
        return f"Responses give the same verdict, {by_response}."
    return (
        f"Responses give the same verdict for another reason. What falls short by the cosine "
        f"distance: {ours}; by responses: {theirs}."
    )


def _against(readings: Sequence[Reading]) -> str:
    """The parts that speak against a claim; where none does, those that leave it open."""
    adverse = [reading for reading in readings if reading.outcome in ADVERSE]
    found = adverse or [reading for reading in readings if reading.outcome != SUPPORTED]
    return " and ".join(
        compared(reading)
        + (f" ({proper_minus(ratio)})" if (ratio := times(reading.estimate)) else "")
        for reading in found
    )
