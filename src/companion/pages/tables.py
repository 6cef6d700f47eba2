"""Tables with a number and a caption, to which the text can link."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from IPython.display import Markdown

from .typography import proper_minus

# An interval with its estimate, a number of runs, a length of training: on one line.
_TOGETHER = re.compile(r"\S+ \[[^\]]*\](?: pp)?|\(n = \d+\)|\d+ epochs")


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
