"""Make the pictures of an executed chapter lighter."""

import base64
import io

import nbformat
import numpy as np
from PIL import Image

# Grey levels of 255, the mean over a picture: a chart stays below, a photograph does not.
UNSEEN = 0.5


def lighter(content: bytes) -> bytes:
    """A PNG in at most 256 colours, if no eye can tell; else as it was, or packed more tightly."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    one, other = (np.asarray(of.convert("RGB"), dtype=int) for of in (picture, few))
    best = few if np.abs(one - other).mean() < UNSEEN else picture
    packed = io.BytesIO()
    best.save(packed, "PNG", optimize=True)
    return min(content, packed.getvalue(), key=len)


def lighten(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with all pictures of its outputs made lighter."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                content = base64.b64decode(output.data["image/png"])
                output.data["image/png"] = base64.b64encode(lighter(content)).decode("ascii")
    return notebook
