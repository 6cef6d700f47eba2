"""What chapters 9 to 11 tell of the training runs: which they are, and what claims they bear on."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from IPython.display import HTML, Markdown

from ..claims import DESCRIBED
from ..evidence.arms import Of
from ..evidence.judge import Verdict, overall
from .claim_list import read_claims
from .glue import glue_values
from .phrases import describe, evidence, needed, number_of, record, rows, where
from .style import METHOD_LABELS
from .typography import proper_minus

if TYPE_CHECKING:
    from ..evidence.arms import Arm
    from ..evidence.stages import Stage


# An interval with its estimate, a number of runs, a length of training: on one line.
_TOGETHER = re.compile(r"\S+ \[[^\]]*\](?: pp)?|\(n = \d+\)|\d+ epochs")


def tell(found: Sequence[Verdict], chapter: int) -> None:
    """Keep what the training runs say of the claims that book/claims.yml gives to a chapter.

    As ``claim_N_verdict`` (one word), ``_where``, ``_evidence``, ``_needed`` and ``_record``, which
    is JSON.

    Raises
    ------
    ValueError
        A verdict on a claim that is not in the list, or a claim of the chapter without one.
    companion.pages.claim_list.NoClaims
        The list is not there.

    Examples
    --------
    >>> from companion.evidence.judge import verdicts
    >>> from unittest.mock import patch
    >>> with patch("companion.pages.glue._glue") as kept:  # a notebook does without
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
    >>> with patch("companion.pages.glue._glue") as kept:
    ...     tell_described(26, "3.1 waves per filter")
    >>> kept.call_args_list[0].args
    ('claim_26_verdict', 'described')
    """
    _keep(number, verdict=DESCRIBED, evidence=evidence)


def _keep(number: int, **parts: str) -> None:
    glue_values(**{f"claim_{number}_{name}": value for name, value in parts.items()})


def was(right: bool, known: object = True) -> str:
    """How a prediction fared: behind "We expected ... That".

    Parameters
    ----------
    right : bool
    known : object
        Whether there are runs that tell: a truth value, or a list of what they say.

    Examples
    --------
    >>> was(True), was(False), was(True, known=[])
    ('was right', 'was wrong', 'waits for more runs')
    """
    if not known:
        return "waits for more runs"
    return "was right" if right else "was wrong"


def arms_of(on: Stage) -> dict[str, Arm]:
    """The methods that a stage has as they are (own norm, trained), by name.

    Examples
    --------
    >>> from companion.evidence.stages import stages_to_show
    >>> list(arms_of(stages_to_show({})[-1]))[:2]  # in the book's repository
    ['principal_components', 'kmeans']
    """
    return {name: arm for name in METHOD_LABELS if (arm := on.arm(Of(name)))}


def numbered(
    lines: Sequence[Mapping[str, object]], caption: str, name: str, *, once: int = 1
) -> Markdown:
    """A table with a number and a caption, to which the text can link.

    The cell that shows it says ``"markdown_format": "myst"`` in its `mystnb` metadata. Without
    lines the table says that there are no such runs yet, so a link to it never breaks.

    Parameters
    ----------
    lines : sequence of mappings
        The columns are those of the first line, in its order; a column may be missing elsewhere.
    caption : str
    name : str
        What `numref` links to.
    once : int
        Of so many columns from the left, what repeats the line above is left out.

    Examples
    --------
    >>> table = numbered([{"arm": "k-means", "pp": -0.3}], "How much.", "tab-n")
    >>> print(table.data)
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
    told = [[_cell(line.get(key, "")) for key in head] for line in lines]
    shown = [head, [":--"] * len(head), *told[:1]]
    for above, row in itertools.pairwise(told):
        n = next((i for i in range(once) if row[i] != above[i]), once)
        shown.append([""] * n + row[n:])
    body = "\n".join(f"| {' | '.join(row)} |" for row in shown)
    return Markdown(f":::{{table}} {caption}\n:name: {name}\n\n{body}\n:::")


def _cell(value: object) -> str:
    text = proper_minus(str(value).replace("|", "\\|"))
    text = _TOGETHER.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    return text.replace("CIFAR-10", "CIFAR-\N{WORD JOINER}10")


def verdict_table(found: Sequence[Verdict], *claims: str, caption: str, name: str) -> Markdown:
    """The verdicts on some claims that have runs, a line for each comparison (`numbered`).

    Parameters
    ----------
    found : sequence of Verdict
    *claims : str
        Numbers, with the letter of a half: "7a".
    caption, name : str

    Examples
    --------
    >>> from companion.evidence.judge import verdicts
    >>> print(verdict_table(verdicts({}), "2", caption="Claim 2.", name="tab-2").data)
    :::{table} Claim 2.
    :name: tab-2
    <BLANKLINE>
    | runs |
    | :-- |
    | none yet |
    :::
    """
    lines = rows([v for claim in claims for v in found if v.claim == claim])
    if not any(line["paper"] for line in lines):
        lines = [{key: text for key, text in line.items() if key != "paper"} for line in lines]
    return numbered(lines, caption, name, once=2)


def show(stages: Sequence[Stage]) -> HTML:
    """Which runs the page rests on, in a box: a line for each stage, and the machines.

    Examples
    --------
    >>> from companion.evidence.stages import stages_to_show
    >>> box = show(stages_to_show({}))  # in the book's repository
    >>> "decides nothing" in box.data
    True
    """
    lines = [describe(on) for on in stages]
    head = "".join(f'<th scope="col">{key}</th>' for key in lines[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in line.values())}</tr>"
        for line in lines
    )
    machines = {
        re.sub(r", 1 threads?$", ", one thread", name)
        for on in stages
        for manifest in on.runs.manifests
        for name in manifest["hardware"]
    }
    return HTML(
        '<div class="admonition note"><p class="admonition-title">The runs at hand</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>Computed on {html.escape('; '.join(sorted(machines)))}.</p></div>"
    )
