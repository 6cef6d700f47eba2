"""Lloyd's steps on points in the plane, whose centres can be dragged."""

import math

import numpy as np
from torch import Tensor

from .drag import drag, paragraph
from .fragment import as_base64

MOST_CENTRES = 8


def lloyd_html(points: Tensor, start: Tensor, *, still: str) -> str:
    """Lloyd's steps on points (n, 2), n >= 8, in the plane, computed in the browser.

    `start` (K, 2) are the first centres, 2 to 8; the reader may take others.
    """
    for name, values, least, most in (
        ("points", points, MOST_CENTRES, math.inf),
        ("start", start, 2, MOST_CENTRES),
    ):
        if values.ndim != 2 or values.shape[1] != 2 or not least <= len(values) <= most:
            raise ValueError(
                f"{name} has shape {tuple(values.shape)}; (n, 2) with n from {least} to {most} "
                "is wanted"
            )
    step = float(f"{points.abs().max().item() / 32767:.6g}") or 1.0
    data = {
        "step": step,
        "points": as_base64(np.rint(points.numpy() / step).clip(-32767, 32767), "<i2"),
        "start": np.round(start.numpy().astype(float), 4).tolist(),
        "most": MOST_CENTRES,
    }
    return drag("lloyd", "Lloyd's steps", data, still=paragraph(still))
