"""What all figures to drag share: their style, and how their data are packed."""

import html
from importlib.resources import files

import numpy as np
from torch import Tensor

from .fragment import as_base64, fragment, source


def drag(name: str, label: str, data: dict, *, still: str, note: str = "") -> str:
    """The fragment of the figure whose controls are in `name`.html, and whose script is `name`.js.

    The script finds it by its class, "drag-" and the name. A note, if any, stands above all. A
    style of its own is in `name`.css, if there is that.
    """
    own = files(__package__).joinpath(f"{name}.css")
    return fragment(
        f"drag drag-{name}",
        label,
        note + source(__package__, f"{name}.html"),
        data,
        still=still,
        css=source(__package__, "drag.css") + (own.read_text("utf-8") if own.is_file() else ""),
        js=source(__package__, f"{name}.js"),
    )


def paragraph(text: str) -> str:
    """Any text as a paragraph of HTML."""
    return f"<p>{html.escape(text)}</p>"


def packed(banks: Tensor, bits: int) -> dict:
    """Banks of one shape, or points, as integers of 8 or 16 bits, in steps of one common size."""
    values, most = banks.detach().numpy(), 2 ** (bits - 1) - 1
    step = float(f"{np.abs(values).max() / most:.6g}") or 1.0
    text = as_base64(np.rint(values / step).clip(-most, most), f"<i{bits // 8}")
    return {"shape": values.shape, "step": step, "bits": bits, "values": text}
