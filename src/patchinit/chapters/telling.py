"""What chapters 8 to 10 tell of the training runs: which they are, and what claims they bear on."""

from __future__ import annotations

import html
from collections.abc import Mapping

from IPython.display import HTML

from ..evidence.claims.rules import Finding
from ..evidence.results import Runs
from .claim_list import read_claims
from .glue import say
from .words import describe, evidence, needed


def tell(found: Mapping[int, Finding], chapter: int) -> None:
    """Keep what the training runs say of the claims that book/claims.yml gives to a chapter.

    As ``claim_N_verdict``, ``_reading``, ``_evidence`` and ``_needed``.

    Raises
    ------
    ValueError
        A finding whose claim is not in the list, or a claim of the chapter without a finding.
    patchinit.chapters.claim_list.NoClaims
        The list is not there.

    Examples
    --------
    >>> from patchinit.evidence.claims.findings import findings
    >>> from unittest.mock import patch
    >>> with patch("patchinit.chapters.glue._glue") as kept:  # a notebook does without
    ...     tell(findings(None), chapter=8)  # in the book's repository
    >>> kept.call_args_list[0].args
    ('claim_1_verdict', 'undecided')
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
    """Which runs the page rests on; in a box where they are reduced ones.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> box = show(read_runs("paper-small"))  # in the book's repository
    >>> "too short to decide" in box.data
    True
    """
    text = html.escape(describe(runs))
    if not runs.reduced:
        return HTML(f'<p class="data-source">{text}</p>')
    return HTML(
        '<div class="admonition important"><p class="admonition-title">Reduced runs</p><p>'
        f"{text} They are too small and too short to decide "
        "a claim about the paper's full runs, and no verdict is drawn from them.</p></div>"
    )
