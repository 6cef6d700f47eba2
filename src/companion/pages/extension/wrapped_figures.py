"""A figure's picture gets a box of its own, which scrolls where the screen is narrow.

So the caption never scrolls with it, and never fades at an edge.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class WrapPictures(SphinxPostTransform):
    """Once MyST-NB has chosen which of a cell's outputs are shown."""

    default_priority = 600
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for figure in self.document.findall(nodes.figure):
            for place, image in enumerate(figure.children):
                if isinstance(image, nodes.image):
                    figure[place] = nodes.container("", image, classes=["picture"])


def setup(app: Sphinx) -> None:
    app.add_post_transform(WrapPictures)
