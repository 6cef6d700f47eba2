"""The search finds prose: code and what it prints stay out of the index, captions stay in.

search.js takes the same out of the text under a hit.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def prose(doctree: nodes.document) -> nodes.document:
    """A copy in which a cell of a notebook has captions alone."""
    copy = doctree.deepcopy()
    for cell in list(copy.findall(nodes.container)):
        if cell.get("nb_element") == "cell_code":
            captions = cell.findall(lambda one: isinstance(one, nodes.caption | nodes.title))
            cell.children = [nodes.paragraph("", one.astext()) for one in list(captions)]
    return copy


def index_prose(app: Sphinx) -> None:
    builder: Any = app.builder
    if builder.format == "html":
        whole = builder.index_page
        builder.index_page = lambda name, doctree, title: whole(name, prose(doctree), title)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", index_prose)
