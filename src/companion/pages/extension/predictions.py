"""How the book's predictions came out, counted over all chapters.

A chapter asks the reader in a box (expect.py), and keeps how its own prediction came out by
`companion.pages.glue.glue_prediction`, with the box's number on the page. The directives
`predictions-tally` and `predictions-missed` put a sentence, with the reader's score, and a list on
a page. A build in which a box has no outcome, or an outcome no box, fails.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from .chapter_map import title
from .claims_page import pages_of
from .expect import came_out, expect_score, key
from .kept_values import kept_on

BOX = re.compile(r"^:{3,}\{expect\} (.+)\n:book: (\d+)(?:\n:came: (\w+))?$", re.MULTILINE)
KEPT = re.compile(r"prediction_(\d+)_is")
OUTCOMES = {
    "right": "{} came out", "in part": "{} came out in part", "wrong": "{} did not",
    "open": "{} cannot be judged yet",
}  # fmt: skip
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """A question of a chapter, and how the book's answer came out."""

    page: str  #: of the chapter
    chapter: str  #: its title
    question: str
    outcome: str  #: right, in part, wrong, or open
    book: int = 1  #: its option
    came: int | None = None  #: the option that came out: 0 if none did, None if it is not known


def predictions(
    page: str, notebook: dict[str, Any], kept: Mapping[str, str]
) -> tuple[list[Prediction], list[str]]:
    """(those of a chapter, what is wrong), from its notebook and what it keeps."""
    text = "\n".join(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"
    )
    questions = dict(enumerate(BOX.findall(text), start=1))
    found = {int(match[1]): ast.literal_eval(value)
             for name, value in kept.items() if (match := KEPT.fullmatch(name))}  # fmt: skip
    problems = [
        f"{page}: prediction {n} has {'a box' if n in questions else 'an outcome'} and no "
        f"{'outcome' if n in questions else 'box'}"
        for n in sorted(questions.keys() ^ found.keys())
    ]
    chapter = title(notebook)
    both = []
    for n, (question, book, came) in questions.items():
        if n in found:
            named = int(came.replace("none", "0")) if came else None
            came_is = came_out(found[n], int(book), named)
            both.append(Prediction(page, chapter, question, found[n], int(book), came_is))
    return both, problems


def tally(found: list[Prediction]) -> str:
    """One sentence that counts them."""
    counts = Counter(one.outcome for one in found)
    parts = [text.format(counts[word]) for word, text in OUTCOMES.items() if counts[word]]
    if not parts:
        return "No prediction is in this build."
    *first, last = parts
    return f"Of {len(found)} predictions, {', '.join(first) + ' and ' if first else ''}{last}."


class of_predictions(nodes.General, nodes.Element):
    """What can only be said once all chapters are read: `what`."""


class FillPredictions(SphinxPostTransform):
    """Puts the sentence and the list where they were asked for."""

    default_priority = 500

    def run(self, **kwargs: object) -> None:
        places = list(self.document.findall(of_predictions))
        if not places:
            return
        found: list[Prediction] = []
        for name in pages_of(Path(self.app.srcdir)).values():
            page = f"notebooks/{name}"
            path = Path(self.app.srcdir) / f"{page}.ipynb"
            notebook = json.loads(path.read_text(encoding="utf-8"))
            of_page, problems = predictions(page, notebook, kept_on(self.env, page))
            found += of_page
            for problem in problems:
                LOGGER.warning(problem, location=places[0])
        for place in places:
            place.replace_self(getattr(self, place["what"])(found))

    def tally(self, found: list[Prediction]) -> list[nodes.Node]:
        boxes = [(key(one.page, one.question), one.book, one.came) for one in found]
        return [nodes.paragraph("", tally(found)), expect_score(boxes=boxes)]

    def missed(self, found: list[Prediction]) -> nodes.Node:
        items = nodes.bullet_list()
        for one in found:
            if one.outcome in ("wrong", "in part"):
                address = self.app.builder.get_relative_uri(self.env.docname, one.page)
                link = nodes.reference("", one.chapter, internal=True, refuri=address)
                how = {"wrong": "wrong", "in part": "right in part"}[one.outcome]
                text = nodes.paragraph(
                    "", "", link, nodes.Text(f": {one.question} "), nodes.strong("", how)
                )
                items += nodes.list_item("", text)
        return items if len(items) else nodes.paragraph("", "None was wrong.")


class OfPredictions(SphinxDirective):
    """`predictions-tally`: a sentence; `predictions-missed`: those that did not come out, whole."""

    def run(self) -> list[nodes.Node]:
        return [of_predictions(what=self.name.removeprefix("predictions-"))]


def setup(app: Sphinx) -> None:
    app.add_node(of_predictions)
    app.add_post_transform(FillPredictions)
    app.add_directive("predictions-tally", OfPredictions)
    app.add_directive("predictions-missed", OfPredictions)
