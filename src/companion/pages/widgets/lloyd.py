"""Lloyd's steps on points in the plane, whose centres can be dragged."""

import math

import numpy as np
from torch import Tensor

from .drag import drag, packed, paragraph

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
            wanted = f"(n, 2) with n from {least} to {most}"
            raise ValueError(f"{name} has shape {tuple(values.shape)}; {wanted} is wanted")
    stored = packed(points, bits=16)
    data = {
        "step": stored["step"],
        "points": stored["values"],
        "start": np.round(start.numpy().astype(float), 4).tolist(),
        "most": MOST_CENTRES,
    }
    return drag("lloyd", "Lloyd's steps", data, still=paragraph(still))
