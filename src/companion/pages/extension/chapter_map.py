"""The directive `chapter-map`: a card for each chapter, by lines `NAME FIGURE: one sentence`."""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ..costs import costs

SPEED = 200  # words a minute
LOOK = 0.2  # minutes for a picture
LINE = re.compile(r"(\S+) (\S+): (.+)")
MARKUP = re.compile(r"^:{3,}.*$|^:\w+:.*$|\{[\w:]+\}|`[^`\s]*::|<[^>]*>", re.MULTILINE)


def title(notebook: dict[str, Any]) -> str:
    """The first heading of a notebook."""
    text = "".join(notebook["cells"][0]["source"])
    return re.findall(r"^# (.+)$", text, re.MULTILINE)[0].strip()


def minutes(notebook: dict[str, Any]) -> int:
    """Minutes to read a chapter: its prose, and a look at each of its figures."""
    prose = [c for c in notebook["cells"] if c["cell_type"] == "markdown"]
    words = sum(len(MARKUP.sub("", "".join(cell["source"])).split()) for cell in prose)
    figures = sum("figure" in cell["metadata"].get("mystnb", {}) for cell in notebook["cells"])
    return max(1, round(words / SPEED + figures * LOOK))


def card(
    name: str, figure: str, sentence: str, notebook: dict[str, Any], seconds: float | None
) -> str:
    cost = f"{minutes(notebook)} min to read"
    if seconds is not None:
        cost += f", {seconds:.0f} s to run"
    return (
        f":::{{grid-item-card}} {{doc}}`{title(notebook)} <../notebooks/{name}>`\n"
        f"```{{thumbnail}} {figure}\n```\n{sentence}\n```{{card-footer}}\n{cost}\n```\n:::\n"
    )


class ChapterMap(SphinxDirective):
    """Cards in a grid; without seconds where this build has no record of them."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        source = Path(self.env.srcdir)
        taken = costs(source.parent / "executed" / "notebooks")
        cards = []
        for line in self.content:
            match = LINE.fullmatch(line)
            path = source / "notebooks" / f"{match[1] if match else ''}.ipynb"
            if match is None or not path.is_file():
                raise self.error(f"{line!r} is no line of the form 'CHAPTER FIGURE: sentence'")
            self.env.note_dependency(str(path))
            notebook = json.loads(path.read_text(encoding="utf-8"))
            seconds, _ = taken.get(match[1], (None, None))
            name, figure, sentence = match.groups()
            cards.append(card(name, figure, sentence, notebook, seconds))
        grid = "::::{grid} 1 2 2 3\n:gutter: 3\n:class-container: chapters\n\n"
        return self.parse_text_to_nodes(grid + "".join(cards) + "::::\n")


def setup(app: Sphinx) -> None:
    app.add_directive("chapter-map", ChapterMap)
