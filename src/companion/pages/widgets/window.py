"""A window over an image, to drag."""

from __future__ import annotations

import torch
from torch import Tensor

from .drag import drag, paragraph
from .fragment import as_base64


def window_html(
    image: Tensor, filters: dict[str, Tensor], *, start: tuple[int, int], still: str
) -> str:
    """A window over an image: the patch, its product with a filter, and the response.

    The image (C, H, W) has C = 1 or 3 channels, uint8, or floats from 0 to 1, which are stored in
    255ths. The filters (C, k, k) are called in the menu by their names; the first is shown first.
    `start` is the window's upper left corner, (row, column); `still` stands in without scripts.
    """
    channels, height, width = image.shape
    if channels not in (1, 3):
        raise ValueError(f"image has C={channels} channels; only 1 or 3 can be shown")
    shapes = {tuple(weights.shape) for weights in filters.values()}
    shape = next(iter(shapes), ())
    if len(shapes) != 1 or len(shape) != 3 or shape[0] != channels or shape[1] != shape[2]:
        raise ValueError(
            f"filters have shapes {sorted(shapes)}; one shape ({channels}, k, k) is wanted"
        )
    last = height - shape[1], width - shape[1]
    if not all(0 <= place <= most for place, most in zip(start, last, strict=True)):
        raise ValueError(f"start={start} lies outside the places (0, 0) to {last} of the window")
    levels = image if image.dtype == torch.uint8 else (image * 255).round()
    data = {
        "shape": [channels, height, width],
        "image": as_base64(levels.numpy(), "u1"),
        "side": shape[1],
        "filters": [
            {"name": name, "weights": [float(f"{w:.6g}") for w in weights.flatten().tolist()]}
            for name, weights in filters.items()
        ],
        "start": list(start),
    }
    return drag("window", "A window over an image", data, still=paragraph(still))
