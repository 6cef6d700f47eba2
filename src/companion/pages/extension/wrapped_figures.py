"""A figure's picture gets a box of its own, which scrolls where the screen is narrow.

So the caption never scrolls with it, and never fades at an edge. In the box the picture is as wide
as its inches ask for: letters have one size in all figures, whatever their format and resolution.
"""

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

FULL = 7.3  # inches that are as wide as the text: 7.2 with the margin that Jupyter leaves around
NARROW = 3.8  # inches that fit a phone, where the others scroll
POINTS = re.compile(r'<svg[^>]*?\bwidth="([\d.]+)pt"')


def inches(path: str | os.PathLike[str]) -> float | None:
    """How wide a picture of matplotlib's is meant to be; None where the file does not say it."""
    if Path(path).suffix == ".svg":
        found = POINTS.search(Path(path).read_text(encoding="utf-8"))
        return float(found[1]) / 72 if found else None
    with Image.open(path) as image:
        resolution = image.info.get("dpi")
        return image.width / float(resolution[0]) if resolution else None


class WrapPictures(SphinxPostTransform):
    """Once MyST-NB has chosen which of a cell's outputs are shown."""

    default_priority = 600
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for figure in self.document.findall(nodes.figure):
            for place, image in enumerate(figure.children):
                if isinstance(image, nodes.image):
                    self.set_width(image)
                    figure[place] = nodes.container("", image, classes=["picture"])

    def set_width(self, image: nodes.image) -> None:
        image["classes"] = [*image.get("classes", []), "no-scaled-link"]
        path = Path(self.env.srcdir, image.get("candidates", {}).get("*", ""))
        if path.is_file() and "width" not in image and (width := inches(path)):
            image["classes"] += ["narrow"] * (width <= NARROW)
            image["width"] = f"{min(100, 100 * width / FULL):.0f}%"


def setup(app: Sphinx) -> None:
    app.add_post_transform(WrapPictures)
