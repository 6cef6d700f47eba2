"""The directive `expect`: a question that the reader answers before the book does.

Its argument is the question; its content a list of options, and below it the book's own answer:

    :::{expect} Does it turn?
    :book: 1
    - Yes.
    - No.

    The first. It turns, because ...
    :::

`book` is the number of the book's option, and `came` that of the option which comes nearest to
what was found, or `none`; it is needed only where the book's did not come out. The page has the
options as a list and the answer in a fold; expect.js makes buttons of the options, keeps what a
reader chose, in the browser alone, and counts it where `expect-score` stands.
"""

import html
import json
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from .kept_values import kept_on

OUTCOMES = {
    "right": "It came out.", "in part": "It came out in part.", "wrong": "It did not come out.",
    "open": "It cannot be judged yet.",
}  # fmt: skip
NONE = 0  # what came out if none of the options did


class expect_box(nodes.General, nodes.Element):
    """The question, its options, and the fold: `question`, `book`, `came`."""


class expect_answer(nodes.General, nodes.Element):
    """The fold with the book's answer."""


class expect_score(nodes.General, nodes.Element):
    """Where the reader's answers are counted: `boxes`, of (key, book's option, what came out)."""


def came_out(outcome: str, book: int, came: int | None) -> int | None:
    """The option that came out, NONE if none did, and None if nobody can say."""
    if outcome == "right":
        return book
    return None if outcome == "open" else came


def in_words(outcome: str, options: nodes.Element, book: int, came: int | None) -> nodes.paragraph:
    """How the book's prediction came out."""
    text = OUTCOMES[outcome] + (" No option quite fits what was found." if came == NONE else "")
    line = nodes.paragraph("", text, classes=["outcome"])
    if came not in (None, NONE, book):
        option = options[came - 1]
        words = [one.deepcopy() for one in next(option.findall(nodes.paragraph), option)]
        line += [nodes.Text(" What was found comes nearest to: "), nodes.emphasis("", "", *words)]
    return line


class Expect(SphinxDirective):
    """A box: see above."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {
        "book": directives.positive_int,
        "came": lambda text: NONE if text == "none" else directives.positive_int(text),
    }

    def run(self) -> list[nodes.Node]:
        question = " ".join(self.arguments[0].split())
        options, *answer = self.parse_content_to_nodes() or [None]
        n = len(options) if isinstance(options, nodes.bullet_list) else 0
        if n < 2 or not answer:
            raise self.error(f"{question!r} needs two options or more, as a list, and an answer")
        chosen = {name: self.options.get(name) for name in ("book", "came")}
        for name, number in chosen.items():
            if (number or 0) > n or (name, number) == ("book", None):
                raise self.error(f"{name} of {question!r} is {number}: there are {n} options")
        name = f"expect-{self.env.new_serialno('expect') + 1}"
        options["classes"].append("options")
        title = nodes.paragraph("", "What do you expect? ", classes=["question"], ids=[name])
        title += nodes.strong("", question)
        box = expect_box("", title, options, expect_answer("", *answer), question=question)
        box.attributes |= {**chosen, "name": name}
        return [box]


def key(page: str, question: str) -> str:
    """By which the browser keeps an answer."""
    return f"{page.rpartition('/')[2]}: {question}"


class FillBoxes(SphinxPostTransform):
    """Puts into the boxes how they came out, and the reader's score behind what was found."""

    default_priority = 500

    def run(self, **kwargs: Any) -> None:
        page, kept = self.env.docname, None
        boxes = list(self.document.findall(expect_box))
        counted = []
        for number, box in enumerate(boxes, start=1):
            kept = kept or kept_on(self.env, page)
            outcome = kept.get(f"prediction_{number}_is", "'open'").strip("'")
            came = came_out(outcome, box["book"], box["came"])
            _, options, answer = box
            answer += in_words(outcome, options, box["book"], came)
            box["data"] = {"key": key(page, box["question"]), "book": box["book"], "came": came}
            counted.append(tuple(box["data"].values()))
        if counted:
            place = next(iter(self.document.findall(nodes.section)))
            found = [one for one in place.findall(nodes.section) if "found" in one["ids"][0]]
            (found or [place])[-1].append(expect_score(boxes=counted))


def visit_box(self: Any, node: expect_box) -> None:
    data = {f"data-{name}": value for name, value in node["data"].items() if value is not None}
    name = {"role": "group", "aria-labelledby": node["name"]}
    self.body.append(self.starttag(node, "div", CLASS="expect", **name, **data))


def depart_box(self: Any, node: expect_box) -> None:
    self.body.append("</div>\n")


def visit_answer(self: Any, node: expect_answer) -> None:
    self.body.append("<details><summary>The book’s prediction</summary>\n")


def depart_answer(self: Any, node: expect_answer) -> None:
    self.body.append("</details>\n")


def visit_score(self: Any, node: expect_score) -> None:
    boxes = html.escape(json.dumps(node["boxes"]), quote=True)
    self.body.append(f'<p class="expect-score" data-boxes="{boxes}" hidden></p>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.add_node(expect_box, html=(visit_box, depart_box))
    app.add_node(expect_answer, html=(visit_answer, depart_answer))
    app.add_node(expect_score, html=(visit_score, None))
    app.add_directive("expect", Expect)
    app.add_post_transform(FillBoxes)
