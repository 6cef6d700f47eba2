"""Filters, patches and spectra as pictures, on the axes given, which are returned.

Images have C = 1 or 3 channels; any other number is a ValueError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn.functional import conv2d, normalize

from patchinit.filters.picture import bare, draw, filter_grid, grid, row

from .style import METHOD_COLORS
from .typography import proper_minus

__all__ = [
    "activation_strip",
    "before_after",
    "filter_grid",
    "patch_grid",
    "shared_scale",
    "show_image",
    "spectrum",
    "typical_image",
]

_SMALL: dict[str, Any] = {"va": "center", "fontsize": "small"}


def patch_grid(
    patches: Tensor, *, ax: Axes, n_cols: int | None = None, title: str | None = None
) -> Axes:
    """Patches or images (P, C, h, w) as they are: floats from 0 (black) to 1 (full), or uint8."""
    _check_channels("patches", patches.shape[1])
    n_cols = n_cols or min(len(patches), 16)
    grid(ax, list(patches.split(n_cols)), n_cols, title)
    return ax


def spectrum(
    eigenvalues: Tensor, *, ax: Axes, method: str = "principal_components", **line: Any
) -> Axes:
    """Share of the variance along each component, largest first, on a logarithmic axis.

    Shares below 1e-6 are drawn there.
    """
    share = (eigenvalues / eigenvalues.sum()).clamp_min(1e-6).numpy()
    style: dict[str, Any] = {"color": METHOD_COLORS[method], "marker": "o", "markersize": 4}
    ax.plot(np.arange(1, len(share) + 1), 100 * share, **style | line)
    ax.set(yscale="log", xlabel="component (1 = most variance)", ylabel="share of variance (%)")
    return ax


def show_image(image: Tensor, *, ax: Axes, title: str | None = None) -> Axes:
    """One image (C, H, W), values as in `patch_grid`: the first pixel's centre lies at (0, 0)."""
    channels, height, width = image.shape
    _check_channels("image", channels)
    draw(ax, image, (-0.5, width - 0.5, height - 0.5, -0.5))
    bare(ax, (-0.5, width - 0.5), (height - 0.5, -0.5), title)
    return ax


def typical_image(images: Tensor) -> int:
    """Index of the image whose sharpest upright edge, dark to bright, is the median of all."""
    edge = torch.tensor([-1.0, 0, 1]).expand(1, images.shape[1], 3, 3)
    return int(conv2d(images.float(), edge).flatten(1).amax(1).median(0).indices)


def activation_strip(
    weight: Tensor, patches: Tensor, values: Tensor, *, ax: Axes, unit: str = "response"
) -> Axes:
    """One filter above, patches below, and between them each patch's value (the paper's Figure 2).

    The patches (P, C, kh, kw) lie in [0, 1]; `unit` says what their P values are.
    """
    _check_channels("patches", patches.shape[1])
    n = len(patches)
    left = n / 2 - 0.6
    draw(ax, weight / weight.abs().max(), (left, left + 1.2, 1.45, 2.65), signed=True)
    for index, (patch, value) in enumerate(zip(patches, values.tolist(), strict=True)):
        draw(ax, patch, (index + 0.05, index + 0.95, 0, 0.9))
        ax.text(index + 0.5, 1.15, proper_minus(f"{value:+.2f}"), ha="center", **_SMALL)
    for height, text in ((2.05, "filter"), (1.15, unit), (0.45, "patch")):
        ax.text(-0.2, height, text, ha="right", **_SMALL)
    bare(ax, (0, n), (0, 2.7))
    return ax


def shared_scale(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, int]:
    """What `before_after` draws banks (before, after) by, so that they can be compared.

    The weight at the ends of the colour scale of filters at norm 1, and the whole number that the
    differences are multiplied by: the largest by which none of the banks' differences is too
    strong for that scale.
    """
    ends = [_at_norm_1(*pair) for pair in pairs]
    weights = torch.cat([bank.abs().flatten() for pair in ends for bank in pair])
    scale = float(weights.quantile(0.995))
    most = max(float((after - before).abs().quantile(0.995)) for before, after in ends)
    return scale, max(1, int(scale / max(most, 1e-6)))


def before_after(
    before: Tensor,
    after: Tensor,
    distances: Tensor | Mapping[str, Tensor],
    *,
    ax: Axes,
    title: str | None = None,
    n_cols: int = 14,
    like: tuple[float, int] | None = None,
) -> Axes:
    """Three lines of filters (F, C, kh, kw): before training, after it, and their difference.

    The cosine distance stands beneath each, or several numbers, each (F,), by what they are called.
    Each filter is shown at norm 1, since only its direction matters behind batch normalisation; the
    difference of the two is made stronger by the whole number written beside it. `like` is what
    `shared_scale` gives for all the banks of a figure, by default for this one. Colours as in
    `patchinit.filters.picture.filter_grid`.
    """
    _check_channels("before", before.shape[1])
    unit = _at_norm_1(before, after)
    scale, factor = like or shared_scale([(before, after)])
    stronger = f"difference ×{factor}" if factor > 1 else "difference"
    lines = {"before": unit[0], "after": unit[1], stronger: factor * (unit[1] - unit[0])}
    numbers = distances if isinstance(distances, Mapping) else {"": distances}
    large = n_cols < 12  # a phone shows it as a whole, so its letters are larger
    below: dict[str, Any] = {"va": "top", "fontsize": "small" if large else 7.5}
    beside = _SMALL | {"fontsize": "medium"} if large else _SMALL
    height = 3.45 + 0.45 * len(numbers)
    blocks = range(0, len(before), n_cols)
    for block, first in enumerate(blocks):
        foot = height * (len(blocks) - 1 - block)
        part = slice(first, first + n_cols)
        for bottom, (text, bank) in zip((2.1, 1.05, 0.0), lines.items(), strict=True):
            row(ax, bank[part] / scale, foot + bottom, signed=True)
            ax.text(-0.2, foot + bottom + 0.45, text, ha="right", **beside)
        for line, (name, values) in enumerate(numbers.items()):
            at = foot - 0.12 - 0.45 * line
            ax.text(-0.2, at, name, ha="right", **beside | {"va": "top"})
            for index, value in enumerate(values[part].tolist()):
                # A longer number would touch the next.
                digits = 2 + (value < 0.1) + (value < 0.01 and not large)
                ax.text(index + 0.5, at, f"{value:.{digits}f}", ha="center", **below)
    bottom = -0.15 - 0.45 * len(numbers)
    bare(ax, (0, min(len(before), n_cols)), (bottom, height * len(blocks) - height + 3.05))
    if title:
        ax.set_title(title, loc="left" if large else "center")
    return ax


def _at_norm_1(*banks: Tensor) -> list[Tensor]:
    return [normalize(bank.flatten(1), dim=1).reshape(bank.shape) for bank in banks]


def _check_channels(what: str, channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(f"{what} have C={channels} channels; only 1 or 3 can be shown as images")
