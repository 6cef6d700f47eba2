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

from .style import METHOD_COLORS
from .typography import proper_minus

_SMALL: dict[str, Any] = {"va": "center", "fontsize": "small"}


def filter_grid(
    filters: Tensor,
    *,
    ax: Axes,
    n_cols: int | None = None,
    scale: float | None = None,
    title: str | None = None,
) -> Axes:
    """Filters (F, C, kh, kw) as small images on one symmetric scale, whose value is stated below.

    Colour filters show zero as mid-grey and each channel's weight as more or less of that channel;
    greyscale filters run from blue (negative) over white to red (positive). `scale` is the weight
    at the ends of the colour scale, by default the largest magnitude in the bank.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = filter_grid(torch.eye(9).reshape(9, 1, 3, 3), ax=Figure().subplots(), n_cols=5)
    >>> len(ax.images), ax.get_xlabel()
    (9, 'colour scale −1 to +1, white = 0')
    """
    filters = filters.detach().cpu()
    _check_channels("filters", filters.shape[1])
    scale = float(filters.abs().max()) if scale is None else scale
    _grid(ax, filters / (scale or 1), n_cols, title, signed=True)
    zero = "mid-grey" if filters.shape[1] == 3 else "white"
    ax.set_xlabel(f"colour scale −{scale:.2g} to +{scale:.2g}, {zero} = 0", fontsize="small")
    return ax


def patch_grid(
    patches: Tensor, *, ax: Axes, n_cols: int | None = None, title: str | None = None
) -> Axes:
    """Patches or images (P, C, h, w) as they are: floats from 0 (black) to 1 (full), or uint8."""
    _check_channels("patches", patches.shape[1])
    _grid(ax, patches, n_cols, title)
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
    _draw(ax, image, (-0.5, width - 0.5, height - 0.5, -0.5))
    _bare(ax, (-0.5, width - 0.5), (height - 0.5, -0.5), title)
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
    _draw(ax, weight / weight.abs().max(), (left, left + 1.2, 1.45, 2.65), signed=True)
    for index, (patch, value) in enumerate(zip(patches, values.tolist(), strict=True)):
        _draw(ax, patch, (index + 0.05, index + 0.95, 0, 0.9))
        ax.text(index + 0.5, 1.15, proper_minus(f"{value:+.2f}"), ha="center", **_SMALL)
    for height, text in ((2.05, "filter"), (1.15, unit), (0.45, "patch")):
        ax.text(-0.2, height, text, ha="right", **_SMALL)
    _bare(ax, (0, n), (0, 2.7))
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
    `companion.pages.pictures.filter_grid`.
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
            _row(ax, bank[part] / scale, foot + bottom, signed=True)
            ax.text(-0.2, foot + bottom + 0.45, text, ha="right", **beside)
        for line, (name, values) in enumerate(numbers.items()):
            at = foot - 0.12 - 0.45 * line
            ax.text(-0.2, at, name, ha="right", **beside | {"va": "top"})
            for index, value in enumerate(values[part].tolist()):
                # A longer number would touch the next.
                digits = 2 + (value < 0.1) + (value < 0.01 and not large)
                ax.text(index + 0.5, at, f"{value:.{digits}f}", ha="center", **below)
    bottom = -0.15 - 0.45 * len(numbers)
    _bare(ax, (0, min(len(before), n_cols)), (bottom, height * len(blocks) - height + 3.05))
    if title:
        ax.set_title(title, loc="left" if large else "center")
    return ax


def _at_norm_1(*banks: Tensor) -> list[Tensor]:
    return [normalize(bank.flatten(1), dim=1).reshape(bank.shape) for bank in banks]


def _check_channels(what: str, channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(f"{what} have C={channels} channels; only 1 or 3 can be shown as images")


def _draw(
    ax: Axes, values: Tensor, extent: tuple[float, float, float, float], *, signed: bool = False
) -> None:
    """A picture (C, h, w) in the box (left, right, bottom, top).

    Signed values are cut to -1 to 1, the others, of which those of 8 bits count 255ths, to 0 to 1.
    """
    values = values / 255 if values.dtype == torch.uint8 else values
    picture = values.detach().clamp(-1 if signed else 0, 1).permute(1, 2, 0).numpy()
    if picture.shape[2] == 3:
        ax.imshow((picture + 1) / 2 if signed else picture, extent=extent)
    else:
        cmap, low = ("RdBu_r", -1) if signed else ("gray", 0)
        ax.imshow(picture[..., 0], extent=extent, cmap=cmap, vmin=low, vmax=1)


def _row(ax: Axes, pictures: Iterable[Tensor], bottom: float, *, signed: bool = False) -> None:
    """Pictures side by side, each in a cell of side 1 with a narrow margin."""
    for left, picture in enumerate(pictures):
        _draw(ax, picture, (left + 0.05, left + 0.95, bottom, bottom + 0.9), signed=signed)


def _grid(
    ax: Axes, pictures: Tensor, n_cols: int | None, title: str | None, *, signed: bool = False
) -> None:
    """Rows from the top, read like a page."""
    n_cols = n_cols or min(len(pictures), 16)
    rows = pictures.split(n_cols)
    for above, row in enumerate(reversed(rows)):
        _row(ax, row, above + 0.05, signed=signed)
    _bare(ax, (0, n_cols), (0, len(rows)), title)


def _bare(
    ax: Axes, xlim: tuple[float, float], ylim: tuple[float, float], title: str | None = None
) -> None:
    """A picture's axes: no ticks, no frame, square cells."""
    ax.set(xlim=xlim, ylim=ylim, xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title)
