"""Numbers that a chapter keeps, where a page shows them: in alt texts, and with a proper minus.

What a chapter keeps by `glue_values(lead=...)` may be named in the alt text of a cell's picture, in
braces with a format, as by the role `glue`: `{lead:.1f}` is filled in when the page is made.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from myst_nb.core.variables import format_plain_text
from myst_nb.ext.glue.crossref import read_glue_cache
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from ..typography import proper_minus

PLACE = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
PAPERMILL = "application/papermill.record/text/plain"
LOGGER = logging.getLogger(__name__)


def filled(alt: str, kept: Mapping[str, str]) -> str:
    """The text with its places filled from {name: what Python prints of the value}.

    Raises KeyError for a name that is not kept, ValueError for a format that does not fit.
    """
    return PLACE.sub(
        lambda place: proper_minus(format_plain_text(kept[place[1]], place[2] or "")), alt
    )


def kept_in(notebook: dict[str, Any]) -> dict[str, str]:
    """{name: what Python prints of the value} of all that an executed notebook keeps."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return {
        output["metadata"]["scrapbook"]["name"]: "".join(output["data"][PAPERMILL])
        for output in outputs
        if PAPERMILL in output.get("data", {})
    }


def kept_on(env: BuildEnvironment, page: str) -> dict[str, str]:
    """The same of a page, from what MyST-NB keeps of it."""
    cache = read_glue_cache(vars(env)["mystnb_config"].output_folder, page)
    data = {name: kept["data"].get("text/plain") for name, kept in cache.items()}
    return {name: text for name, text in data.items() if text is not None}


def with_pages(node: nodes.Element, page: str) -> Iterator[tuple[nodes.Element, str]]:
    """All elements, each with the page that it comes from: a builder may put many into one.

    From above, as what MyST-NB folds has no parent.
    """
    page = node.get("docname", page)
    yield node, page
    for child in node.children:
        if isinstance(child, nodes.Element):
            yield from with_pages(child, page)


class FillAltTexts(SphinxPostTransform):
    """Fills those of a page, once it is known which of a cell's outputs are shown."""

    default_priority = 500

    def run(self, **kwargs: Any) -> None:
        for image, page in with_pages(self.document, self.env.docname):
            if not isinstance(image, nodes.image) or not PLACE.search(image.get("alt", "")):
                continue
            try:
                image["alt"] = filled(image["alt"], kept_on(self.env, page))
            except (KeyError, ValueError) as error:
                LOGGER.warning(
                    f"the alt text {image['alt'][:60]!r} can't be filled: {error!r}; "
                    "is it kept in this chapter, by glue_values()?",
                    location=page,
                )


class MinusSigns(SphinxPostTransform):
    """Gives the numbers of a page a minus once MyST-NB has put them there."""

    default_priority = 900

    def run(self, **kwargs: Any) -> None:
        for pasted in self.document.findall(nodes.inline):
            if "pasted-text" in pasted["classes"]:
                text = proper_minus(pasted.astext())
                if text != pasted.astext():
                    pasted.children = [nodes.Text(text)]


def setup(app: Sphinx) -> None:
    app.add_post_transform(FillAltTexts)
    app.add_post_transform(MinusSigns)
