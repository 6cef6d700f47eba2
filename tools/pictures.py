"""Make the pictures of an executed chapter lighter."""

import base64
import io
from statistics import fmean

import nbformat
from PIL import Image, ImageChops, ImageStat

# Grey levels of 255, the mean over a picture: a chart stays below, a photograph does not.
UNSEEN = 0.5


def lighter(content: bytes) -> bytes:
    """A PNG in at most 256 colours, if no eye can tell; else as it was, or packed more tightly."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    # Bytes, not numpy's integers: eight times those are half a gigabyte for the largest.
    apart = ImageStat.Stat(ImageChops.difference(picture, few.convert("RGB"))).mean
    best = few if fmean(apart) < UNSEEN else picture
    packed = io.BytesIO()
    # A page shows it as wide as its inches ask for.
    best.save(packed, "PNG", optimize=True, dpi=picture.info.get("dpi"))
    return min(content, packed.getvalue(), key=len)


def lighten(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with the pictures that its page shows made lighter: PNGs without an SVG."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data and "image/svg+xml" not in data:
                content = base64.b64decode(data["image/png"])
                data["image/png"] = base64.b64encode(lighter(content)).decode("ascii")
    return notebook
