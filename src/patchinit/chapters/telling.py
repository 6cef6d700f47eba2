"""What chapters 9 to 11 tell of the training runs: which they are, and what claims they bear on."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from IPython.display import HTML

from ..evidence.verdicts.claims import Verdict, overall
from ..evidence.verdicts.outcomes import DESCRIBED
from .claim_list import read_claims
from .glue import say
from .words import describe, evidence, needed, number_of, record, where

if TYPE_CHECKING:
    from ..evidence.stages import Stage


def tell(found: Sequence[Verdict], chapter: int) -> None:
    """Keep what the training runs say of the claims that book/claims.yml gives to a chapter.

    As ``claim_N_verdict`` (one word), ``_where``, ``_evidence``, ``_needed`` and ``_record``, which
    is JSON.

    Raises
    ------
    ValueError
        A verdict on a claim that is not in the list, or a claim of the chapter without one.
    patchinit.chapters.claim_list.NoClaims
        The list is not there.

    Examples
    --------
    >>> from patchinit.evidence.verdicts.claims import verdicts
    >>> from unittest.mock import patch
    >>> with patch("patchinit.chapters.glue._glue") as kept:  # a notebook does without
    ...     tell(verdicts({}), chapter=9)  # in the book's repository
    >>> kept.call_args_list[0].args
    ('claim_1_verdict', 'undecided')
    """
    claims = read_claims()
    own = {n for n, c in claims.items() if c.runs and chapter in (c.chapter, *c.also)}
    numbers = {number_of(verdict.claim) for verdict in found}
    for missing, what in (
        (numbers - claims.keys(), "have verdicts and are not in book/claims.yml"),
        (own - numbers, "are in book/claims.yml and have no verdict"),
    ):
        if missing:
            raise ValueError(f"claims {', '.join(map(str, sorted(missing)))} {what}")
    for number in sorted(own):
        of_claim = [verdict for verdict in found if number_of(verdict.claim) == number]
        outcome = overall(of_claim)
        _keep(
            number, verdict=outcome, where=where(of_claim, outcome), evidence=evidence(of_claim),
            needed=needed(of_claim), record=json.dumps(record(of_claim)),
        )  # fmt: skip


def tell_described(number: int, evidence: str) -> None:
    """Keep the evidence on a claim that has no verdict, as `tell` does for those that have one.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch("patchinit.chapters.glue._glue") as kept:
    ...     tell_described(26, "3.1 waves per filter")
    >>> kept.call_args_list[0].args
    ('claim_26_verdict', 'described')
    """
    _keep(number, verdict=DESCRIBED, evidence=evidence)


def _keep(number: int, **parts: str) -> None:
    say(**{f"claim_{number}_{name}": value for name, value in parts.items()})


def show(stages: Sequence[Stage]) -> HTML:
    """Which runs the page rests on, in a box.

    Examples
    --------
    >>> from patchinit.evidence.stages import stages_to_show
    >>> box = show(stages_to_show({}))  # in the book's repository
    >>> "They decide nothing" in box.data
    True
    """
    lines = "".join(f"<li>{html.escape(describe(on))}</li>" for on in stages)
    machines = sorted(
        {name for on in stages for manifest in on.runs.manifests for name in manifest["hardware"]}
    )
    return HTML(
        '<div class="admonition note"><p class="admonition-title">The runs at hand</p>'
        f"<ul>{lines}</ul><p>Made on {html.escape('; '.join(machines))}.</p></div>"
    )
