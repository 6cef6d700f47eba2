"""The directive `thumbnail`: a chapter's figure, small, linked to it; from what the build drew."""

import hashlib
import io
import json
import os
from base64 import b64decode
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from PIL import Image
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from .kept_values import filled, kept_in

WIDTH = 680  # pixels; shown at half of that, for screens with finer ones
WIDE = 1460  # the same for a picture as wide as the text


def figure_of(source: Path, label: str) -> tuple[Path, dict[str, Any], dict[str, Any]] | None:
    """(path, notebook, cell) of the chapter's figure that has this label, or None."""
    for path in sorted((source / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") == label:
                return path, notebook, cell
    return None


def alt_of(notebook: dict[str, Any], cell: dict[str, Any]) -> str:
    """The figure's alt text, with the values that its chapter keeps."""
    return filled(cell["metadata"]["mystnb"]["image"]["alt"], kept_in(notebook))


def picture(cell: dict[str, Any]) -> bytes | None:
    """The PNG that a cell shows, or None before it is executed."""
    for output in cell.get("outputs", []):
        if png := output.get("data", {}).get("image/png"):
            return b64decode("".join(png))
    return None


def smaller(png: bytes, most: int = WIDTH) -> bytes:
    """The same picture, at most this many pixels wide and in 256 colours: a third of the bytes."""
    image: Image.Image = Image.open(io.BytesIO(png)).convert("RGB")
    width = min(most, image.width)
    height = round(image.height * width / image.width)
    content = io.BytesIO()
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    image.quantize(256, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return content.getvalue()


class Thumbnail(SphinxDirective):
    """The figure of a label; with the option `wide`, as wide as the text."""

    required_arguments = 1
    option_spec = {"wide": directives.flag}

    def run(self) -> list[nodes.Node]:
        (label,) = self.arguments
        found = figure_of(Path(self.env.srcdir), label)
        if found is None:
            raise self.error(f"no cell of a chapter has a figure named {label!r}")
        path, notebook, cell = found
        self.env.note_dependency(str(path))
        png = picture(cell)
        if png is None:
            return self.parse_text_to_nodes("`make book` draws the figure here.")
        # Beside what Sphinx keeps of the pages: it copies pictures from there into the book, and
        # reads a page again whose pictures are newer, so that one is made but once.
        most = WIDE if "wide" in self.options else WIDTH
        name = f"{label}-{most}-{hashlib.sha256(png).hexdigest()[:12]}.png"
        small = Path(self.env.doctreedir) / "thumbnails" / name
        if not small.exists():
            small.parent.mkdir(parents=True, exist_ok=True)
            small.write_bytes(smaller(png, most))
        try:
            alt = alt_of(notebook, cell)
        except (KeyError, ValueError) as error:
            raise self.error(
                f"the alt text of {label!r} can't be filled: {error!r}; "
                f"does {path.name} keep it, by glue_values()?"
            ) from error
        uri = "/" + Path(os.path.relpath(small, self.env.srcdir)).as_posix()
        image = nodes.image(uri=uri, alt=alt, classes=["thumbnail", *self.options])
        link = pending_xref(
            "", image, refdomain="", reftype="thumbnail", reftarget=label,
            refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        return [nodes.paragraph("", "", link, classes=["hero"] if self.options else [])]


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """The link around a thumbnail: a reference by `ref` would put text in the picture's place."""
    if node["reftype"] != "thumbnail":
        return None
    labels = env.get_domain("std").anonlabels  # type: ignore[attr-defined]
    page, place = labels[node["reftarget"]]
    return make_refnode(app.builder, node["refdoc"], page, place, content)


def setup(app: Sphinx) -> None:
    app.add_directive("thumbnail", Thumbnail)
    app.connect("missing-reference", resolve)
