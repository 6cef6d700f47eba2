"""Filters as pictures, by matplotlib."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..patches import as_integer
from .bank import FilterBank

Box = tuple[float, float, float, float]  # left, right, bottom, top


def figure_of(bank: FilterBank, *, n_cols: int | None = None, scale: float | None = None) -> Figure:
    """`FilterBank.show`."""
    n, channels, height, width = bank.filters.shape
    n_cols = min(n, 16 if n_cols is None else as_integer("n_cols", n_cols))
    n_rows = -(-n // n_cols) * (1 if channels in (1, 3) else channels)
    size = 0.5 * max(n_cols, 6) + 0.4, 0.5 * n_rows + 0.9
    figure = Figure(figsize=size, layout="constrained")
    title = f"{bank.method}: {n} filters of {channels}x{height}x{width}"
    filters = bank.filters.float()  # numpy has no bfloat16
    filter_grid(filters, ax=figure.subplots(), n_cols=n_cols, scale=scale, title=title)
    return figure


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
    greyscale filters run from blue (negative) over white to red (positive), and so does each
    channel where there are other than one or three: then a line of filters is C lines, the first
    channel's on top. `scale` is the weight at the ends of the colour scale, by default the largest
    magnitude in the bank.

    Examples
    --------
    >>> import torch
    >>> ax = filter_grid(torch.eye(9).reshape(9, 1, 3, 3), ax=Figure().subplots(), n_cols=5)
    >>> len(ax.images), ax.get_xlabel()
    (9, 'colour scale −1 to +1, white = 0')
    """
    filters = filters.detach().cpu()
    if scale is not None and not 0 < scale < float("inf"):
        raise ValueError(f"scale={scale} should be above 0 and finite")
    scale = float(filters.abs().max()) if scale is None else scale
    n_cols = n_cols or min(len(filters), 16)
    pictures = filters / (scale or 1)
    if filters.shape[1] not in (1, 3):
        pictures = pictures[:, :, None]  # (F, C, 1, kh, kw)
        lines = [channel for line in pictures.split(n_cols) for channel in line.unbind(1)]
    else:
        lines = list(pictures.split(n_cols))
    grid(ax, lines, n_cols, title, signed=True)
    zero = "mid-grey" if filters.shape[1] == 3 else "white"
    ax.set_xlabel(f"colour scale −{scale:.2g} to +{scale:.2g}, {zero} = 0", fontsize="small")
    return ax


def draw(ax: Axes, values: Tensor, extent: Box, *, signed: bool = False) -> None:
    """A picture (C, h, w) of one or three channels in a box.

    Signed values are cut to -1 to 1, the others, of which those of 8 bits count 255ths, to 0 to 1.
    """
    values = values / 255 if not values.is_floating_point() else values
    picture = values.detach().clamp(-1 if signed else 0, 1).permute(1, 2, 0).numpy()
    how: dict[str, Any] = {"extent": extent, "interpolation": "none"}
    if picture.shape[2] == 3:
        ax.imshow((picture + 1) / 2 if signed else picture, **how)
    else:
        cmap, low = ("RdBu_r", -1) if signed else ("gray", 0)
        ax.imshow(picture[..., 0], cmap=cmap, vmin=low, vmax=1, **how)


def row(ax: Axes, pictures: Iterable[Tensor], bottom: float, *, signed: bool = False) -> None:
    """Pictures side by side, each in a cell of side 1 with a narrow margin; pixels are square."""
    for place, picture in enumerate(pictures):
        height, width = (0.9 * side / max(picture.shape[-2:]) for side in picture.shape[-2:])
        left = place + 0.05
        draw(ax, picture, (left, left + width, bottom, bottom + height), signed=signed)


def grid(
    ax: Axes, lines: list[Tensor], n_cols: int, title: str | None, *, signed: bool = False
) -> None:
    """Lines of pictures from the top, read like a page."""
    for above, line in enumerate(reversed(lines)):
        row(ax, line, above + 0.05, signed=signed)
    bare(ax, (0, n_cols), (0, len(lines)), title)


def bare(
    ax: Axes, xlim: tuple[float, float], ylim: tuple[float, float], title: str | None = None
) -> None:
    """A picture's axes: no ticks, no frame, square cells."""
    ax.set(xlim=xlim, ylim=ylim, xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title)
