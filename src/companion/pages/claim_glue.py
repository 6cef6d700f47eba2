"""What chapters 9 to 11 tell of the training runs: which they are, and what claims they bear on."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Mapping, Sequence
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
    what_would_decide,
)
from .style import METHOD_LABELS
from .typography import proper_minus

if TYPE_CHECKING:
    from ..evidence.arms import Arm
    from ..evidence.stages import Stage


# An interval with its estimate, a number of runs, a length of training: on one line.
_TOGETHER = re.compile(r"\S+ \[[^\]]*\](?: pp)?|\(n = \d+\)|\d+ epochs")


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


def arms_of(on: Stage) -> dict[str, Arm]:
    """The methods that a stage has as they are (own norm, trained), by name."""
    return {name: arm for name in METHOD_LABELS if (arm := on.arm(ArmKey(name)))}


def numbered_table(
    lines: Sequence[Mapping[str, object]], caption: str, name: str, *, once: int = 1
) -> Markdown:
    """A table with a number and a caption, to which the text can link.

    The cell that shows it says ``"markdown_format": "myst"`` in its `mystnb` metadata. The columns
    are those of the first line. Without lines the table says that there are no such runs yet, so a
    link to its `name` never breaks. In the `once` first columns what repeats the line above is left
    out.

    >>> print(numbered_table([{"arm": "k-means", "pp": -0.3}], "How much.", "tab-n").data)
    :::{table} How much.
    :name: tab-n
    <BLANKLINE>
    | arm | pp |
    | :-- | :-- |
    | k-means | −0.3 |
    :::
    """
    lines = lines or [{"runs": "none yet"}]
    head = list(lines[0])
    cells = [[_cell(line.get(key, "")) for key in head] for line in lines]
    shown = [head, [":--"] * len(head), *cells[:1]]
    for above, row in itertools.pairwise(cells):
        n = next((i for i in range(once) if row[i] != above[i]), once)
        shown.append([""] * n + row[n:])
    body = "\n".join(f"| {' | '.join(row)} |" for row in shown)
    return Markdown(f":::{{table}} {caption}\n:name: {name}\n\n{body}\n:::")


def _cell(value: object) -> str:
    text = proper_minus(str(value).replace("|", "\\|"))
    text = _TOGETHER.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    return text.replace("CIFAR-10", "CIFAR-\N{WORD JOINER}10")


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
