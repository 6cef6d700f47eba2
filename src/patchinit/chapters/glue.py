"""What every chapter needs to put its numbers and verdicts into its text.

Needs MyST-NB (the extra `chapters`).
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from IPython.display import HTML
from myst_nb import glue

from ..data.images import Images
from ..evidence.claims.rules import NO, OPEN, YES, Finding
from .claim_list import read_claims
from .words import describe, evidence, needed

if TYPE_CHECKING:  # a chapter that keeps a number does not depend on training
    from ..evidence.results import Runs


def say(**values: object) -> None:
    """Keep numbers and words for the text of the page, which shows them by the role `glue`."""
    for key, value in values.items():
        glue(key, value.item() if hasattr(value, "item") else value, display=False)


def verdict(data: Images, claim: int, holds: bool | None, evidence: str) -> None:
    """Keep a claim's verdict by the bound of its chapter.

    None is undecided, and stand-in data decide nothing.
    """
    found = OPEN if data.stand_in_for or holds is None else YES if holds else NO
    say(**{f"claim_{claim}_verdict": found, f"claim_{claim}_evidence": evidence})


def tell(found: Mapping[int, Finding], chapter: int) -> None:
    """Keep what the training runs say of the claims that book/claims.yml gives to a chapter.

    As ``claim_N_verdict``, ``_reading``, ``_evidence`` and ``_needed``.

    Raises
    ------
    ValueError
        A finding whose claim is not in the list, or a claim of the chapter without a finding.
    patchinit.chapters.claim_list.NoClaims
        The list is not there.
    """
    claims = read_claims()
    own = {n for n, c in claims.items() if c.rests_on_runs and chapter in (c.chapter, *c.also)}
    for numbers, what in (
        (found.keys() - claims.keys(), "have findings and are not in book/claims.yml"),
        (own - found.keys(), "are in book/claims.yml and have no finding"),
    ):
        if numbers:
            raise ValueError(f"claims {', '.join(map(str, sorted(numbers)))} {what}")
    for number, finding in found.items():
        if number in own:
            parts = {
                "verdict": finding.verdict,
                "reading": finding.reading,
                "evidence": evidence(finding),
                "needed": needed(finding, claims[number].study),
            }
            say(**{f"claim_{number}_{name}": value for name, value in parts.items()})


def show(runs: Runs) -> HTML:
    """Which runs the page rests on; in a box where they are reduced ones."""
    text = html.escape(describe(runs))
    if not runs.reduced:
        return HTML(f'<p class="data-source">{text}</p>')
    return HTML(
        '<div class="admonition important"><p class="admonition-title">Reduced runs</p><p>'
        f"{text} They are too small and too short to decide "
        "a claim about the paper's full runs, and no verdict is drawn from them.</p></div>"
    )
