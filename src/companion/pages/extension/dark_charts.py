"""Marks pictures that are charts, so that dark mode may turn their white into black.

An SVG is one unless it holds pixels that are to be seen as such: those of a filter, a photograph or
a matrix. A PNG is one if it is mostly white, and has few surfaces of one colour.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

WHITE = 0.6  # least share of a chart
SURFACES = 10  # colours that fill a square of SIDE pixels somewhere: a picture has as many
SIDE = 6  # at least; more where the picture has more pixels to the inch


def is_chart(path: str | os.PathLike[str]) -> bool:
    """Whether the picture in this file is a chart."""
    if Path(path).suffix == ".svg":  # dots that were drawn as pixels have no such style
        return "image-rendering:" not in Path(path).read_text(encoding="utf-8")
    with Image.open(path) as image:
        red, green, blue = (np.asarray(b, dtype=np.int32) for b in image.convert("RGB").split())
    if (np.minimum(np.minimum(red, green), blue) >= 250).mean() < WHITE:
        return False
    colour = (red << 16) + (green << 8) + blue
    side = max(SIDE, colour.shape[1] // 175)
    rows, columns = (size // side for size in colour.shape)
    blocks = colour[: rows * side, : columns * side].reshape(rows, side, columns, side)
    least, most = blocks.min(axis=3).min(axis=1), blocks.max(axis=3).max(axis=1)
    filled = least[(least == most) & (least < 0xF0F0F0)]
    return len(np.unique(filled)) < SURFACES


class MarkCharts(SphinxPostTransform):
    default_priority = 500

    def run(self, **kwargs: Any) -> None:
        for image in self.document.findall(nodes.image):
            path = Path(self.env.srcdir, image.get("candidates", {}).get("*", ""))
            if path.suffix in (".png", ".svg") and path.is_file() and is_chart(path):
                image["classes"] = [*image.get("classes", []), "chart"]


def setup(app: Sphinx) -> None:
    app.add_post_transform(MarkCharts)
