"""The bars of folded code: each names the figures or tables that its cell makes.

A cell's own `code_prompt_show` stays. The theme's bar says "Toggle hidden content" to a screen
reader, whatever is written on it; ours says what it shows.
"""

import html
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

KINDS = {"figure": "Fig.", "table": "Table"}


def bar(cell: nodes.Element, numbers: dict[str, dict[str, tuple[int, ...]]]) -> str:
    """What the bar of a cell says, from {figure or table: {id: number}} of its page."""
    names = [
        f"{short} {'.'.join(map(str, numbers[kind][name]))}"
        for kind, short in KINDS.items()
        for made in cell.findall(getattr(nodes, kind))
        for name in made["ids"]
        if name in numbers.get(kind, {})
    ]
    if names:
        return f"Code of {' and '.join(names)}"
    shown = any(one.get("nb_element") == "cell_code_output" for one in cell.children)
    first = cell.astext().lstrip()
    sets_up = not shown and first.startswith(("import ", "from "))
    return "Set-up" if sets_up else "Code of what follows"


class NameBars(SphinxPostTransform):
    """Before MyST-NB folds them."""

    default_priority = 190

    def run(self, **kwargs: Any) -> None:
        usual = vars(self.env)["mystnb_config"].code_prompt_show
        numbers = self.env.toc_fignumbers.get(self.env.docname, {})
        for cell in self.document.findall(nodes.container):
            if cell.get("hide_mode") and cell["prompt_show"] == usual:
                cell["prompt_show"] = bar(cell, numbers)
            if cell.get("hide_mode"):
                cell["prompt_hide"] = cell["prompt_show"]


def visit_bar(self: Any, node: HideCodeCellNode) -> None:
    folds_code = all(one.get("nb_element") == "cell_code_source" for one in node.children)
    kind = ["code-alone"] if folds_code else ["admonition"]
    classes = " ".join(["hide", *kind, *node["classes"]])
    text = html.escape(node["prompt_show"])
    self.body.append(f'<details class="{classes}">\n<summary>{text}</summary>\n')


def setup(app: Sphinx) -> None:
    app.add_node(HideCodeCellNode, override=True, html=(visit_bar, depart_HideCellInput))
    app.add_post_transform(NameBars)
