"""What chapters 9 to 11 tell of the training runs: which they are, and what claims they bear on."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from IPython.display import HTML, Markdown

from ..claims import CLAIMS, DESCRIBED
from ..evidence.arms import ArmKey
from ..evidence.judge import Verdict, names_of, overall
from .glue import glue_values
from .phrases import (
    decided_line,
    decided_where,
    evidence_line,
    measured_line,
    number_of,
    stage_line,
    standing,
    verdict_record,
    verdict_rows,
    what_would_decide,
)
from .style import METHOD_LABELS
from .tables import numbered_table

if TYPE_CHECKING:
    from ..evidence.arms import Arm
    from ..evidence.stages import Stage


def glue_claims(found: Sequence[Verdict], chapter: int) -> None:
    """Keep what the training runs say of the claims that a chapter decides or shows.

    As ``claim_N_verdict`` (one word), ``_where``, ``_measured``, ``_decided``, ``_standing``,
    ``_evidence``, ``_needed``, and as JSON ``_record`` and, of two halves, ``_halves``: the word
    and the places of each. ValueError for a claim of the chapter without a verdict.
    """
    own = {n for n, claim in CLAIMS.items() if claim.runs and chapter in claim.chapters}
    if missing := own - {number_of(verdict.claim) for verdict in found}:
        raise ValueError(f"claims {', '.join(map(str, sorted(missing)))} have no verdict")
    for number in sorted(own):
        of_claim = [verdict for verdict in found if number_of(verdict.claim) == number]
        outcome = overall(of_claim)
        _keep(
            number, verdict=outcome, where=decided_where(of_claim, outcome),
            measured=measured_line(of_claim), decided=decided_line(of_claim),
            standing=standing(of_claim), evidence=evidence_line(of_claim),
            needed=what_would_decide(of_claim), record=json.dumps(verdict_record(of_claim)),
        )  # fmt: skip
        if len(names := names_of(of_claim)) > 1:
            _keep(number, halves=json.dumps({name: _half(of_claim, name) for name in names}))


def _half(verdicts: Sequence[Verdict], name: str) -> list[str]:
    mine = [verdict for verdict in verdicts if verdict.claim == name]
    outcome = overall(mine)
    return [outcome, decided_where(mine, outcome)]


def glue_described(number: int, evidence: str) -> None:
    """Keep the evidence on a claim that has no verdict, as `glue_claims` does for the others."""
    _keep(number, verdict=DESCRIBED, evidence=evidence)


def _keep(number: int, **parts: str) -> None:
    glue_values(**{f"claim_{number}_{name}": value for name, value in parts.items()})


def prediction_result(right: bool, known: object = True) -> str:
    """How a prediction fared, behind "We expected ... That"; `known` is true if there are runs."""
    if not known:
        return "waits for more runs"
    return "was right" if right else "was wrong"


def arms_of(on: Stage) -> dict[str, Arm]:
    """The methods that a stage has as they are (own norm, trained), by name."""
    return {name: arm for name in METHOD_LABELS if (arm := on.arm(ArmKey(name)))}


def verdict_table(found: Sequence[Verdict], *claims: str, caption: str, name: str) -> Markdown:
    """The verdicts on claims ("7a") that have runs, a line a comparison, as `numbered_table`."""
    lines = verdict_rows([v for claim in claims for v in found if v.claim == claim])
    if not any(line["paper"] for line in lines):
        lines = [{key: text for key, text in line.items() if key != "paper"} for line in lines]
    return numbered_table(lines, caption, name, once=2)


def runs_box(stages: Sequence[Stage]) -> HTML:
    """Which runs the page rests on, in a box: a line for each stage, and the machines."""
    lines = [stage_line(on) for on in stages]
    head = "".join(f'<th scope="col">{key}</th>' for key in lines[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in line.values())}</tr>"
        for line in lines
    )
    machines = {
        re.sub(r", 1 threads?$", ", one thread", name)
        for on in stages
        for manifest in (on.runs.manifests if on.runs else ())
        for name in manifest["hardware"]
    }
    return HTML(
        '<div class="admonition note"><p class="admonition-title">The runs at hand</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>Computed on {html.escape('; '.join(sorted(machines)))}.</p></div>"
    )
