"""What every chapter needs to put its numbers and verdicts into its text.

Needs MyST-NB (the extra `chapters`).
"""

from __future__ import annotations

from myst_nb import glue

from ..data.images import Images
from ..evidence.claims.rules import NO, OPEN, YES


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
