"""Filters and patches as pictures. Axes in, Axes out."""

from __future__ import annotations

import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from torch import Tensor


def filter_grid(
    filters: Tensor,
    *,
    ax: Axes,
    n_cols: int | None = None,
    scale: float | None = None,
    title: str | None = None,
) -> Axes:
    """Filters as small images, each on the same symmetric scale, whose value is stated below.

    Colour filters show zero as mid-grey and each channel's weight as more or less of that channel;
    greyscale filters run from blue (negative) over white to red (positive).

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)
        C = 1 or 3.
    ax : Axes
    n_cols : int, optional
        Filters in a row; default: all in one, 16 at most.
    scale : float, optional
        Weight at the ends of the colour scale; default: the largest magnitude in the bank.
    title : str, optional
    """
    filters = filters.detach().cpu()
    n_filters, channels, height, width = filters.shape
    _check_channels("filters", channels)
    scale = float(filters.abs().max()) if scale is None else scale
    n_cols = min(n_filters, 16) if n_cols is None else n_cols
    n_rows = -(-n_filters // n_cols)
    shown = (filters / (scale or 1)).clamp(-1, 1).permute(0, 2, 3, 1)  # (F, kh, kw, C)
    for index, picture in enumerate(shown.numpy()):
        left, bottom = index % n_cols, n_rows - 1 - index // n_cols
        extent = (left + 0.05, left + 0.95, bottom + 0.05, bottom + 0.95)
        if channels == 3:
            ax.imshow((picture + 1) / 2, extent=extent)
        else:
            ax.imshow(picture[..., 0], extent=extent, cmap="RdBu_r", vmin=-1, vmax=1)
    _bare(ax, n_cols, n_rows)
    zero = "mid-grey" if channels == 3 else "white"
    ax.set_xlabel(f"colour scale −{scale:.2g} to +{scale:.2g}, {zero} = 0", fontsize="small")
    if title:
        ax.set_title(title)
    return ax


def patch_grid(
    patches: Tensor, *, ax: Axes, n_cols: int | None = None, title: str | None = None
) -> Axes:
    """Patches or images as they are, values from 0 (black) to 1 (full).

    Parameters
    ----------
    patches : Tensor of shape (P, C, h, w)
        uint8 (divided by 255) or floats in [0, 1]; C = 1 or 3.
    """
    _check_channels("patches", patches.shape[1])
    patches = patches / 255 if patches.dtype == torch.uint8 else patches
    n_cols = min(len(patches), 16) if n_cols is None else n_cols
    n_rows = -(-len(patches) // n_cols)
    for index, patch in enumerate(patches):
        _show_patch(ax, patch, index % n_cols + 0.05, n_rows - 1 - index // n_cols + 0.05, 0.9)
    _bare(ax, n_cols, n_rows)
    if title:
        ax.set_title(title)
    return ax


def activation_strip(
    weight: Tensor, patches: Tensor, values: Tensor, *, ax: Axes, unit: str = "response"
) -> Axes:
    """One filter above, patches below, and between them each patch's value (the paper's Figure 2).

    Parameters
    ----------
    weight : Tensor of shape (C, kh, kw)
    patches : Tensor of shape (P, C, kh, kw)
        Values in [0, 1].
    values : Tensor of shape (P,)
        The numbers to write, e.g. responses or cosine similarities.
    unit : str
        What the values are, written at the left.
    """
    _check_channels("patches", patches.shape[1])
    n = len(patches)
    weight = weight.detach()
    top = (weight / weight.abs().max()).permute(1, 2, 0).numpy()
    middle = n / 2 - 0.6
    if top.shape[2] == 3:
        ax.imshow((top + 1) / 2, extent=(middle, middle + 1.2, 1.45, 2.65))
    else:
        ax.imshow(
            top[..., 0], extent=(middle, middle + 1.2, 1.45, 2.65), cmap="RdBu_r", vmin=-1, vmax=1
        )
    for index, (patch, value) in enumerate(zip(patches, values.tolist(), strict=True)):
        _show_patch(ax, patch, index + 0.05, 0, 0.9)
        ax.text(index + 0.5, 1.15, f"{value:+.2f}", ha="center", va="center", fontsize="small")
    for height, text in ((2.05, "filter"), (1.15, unit), (0.45, "patch")):
        ax.text(-0.2, height, text, ha="right", va="center", fontsize="small")
    _bare(ax, n, 2.7)
    return ax


def _check_channels(what: str, channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(f"{what} have C={channels} channels; only 1 or 3 can be shown as images")


def _show_patch(ax: Axes, patch: Tensor, left: float, bottom: float, side: float) -> None:
    picture = patch.detach().clamp(0, 1).permute(1, 2, 0).numpy()
    extent = (left, left + side, bottom, bottom + side)
    if picture.shape[2] == 3:
        ax.imshow(picture, extent=extent)
    else:
        ax.imshow(picture[..., 0], extent=extent, cmap="gray", vmin=0, vmax=1)


def _bare(ax: Axes, width: float, height: float) -> None:
    """A picture's axes: no ticks, no frame, square cells."""
    ax.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[], aspect="equal")
    sns.despine(ax=ax, left=True, bottom=True)


def before_after(
    before: Tensor, after: Tensor, distances: Tensor, *, ax: Axes, title: str | None = None
) -> Axes:
    """Three lines of filters: before training, after it, and their difference.

    The cosine distance stands beneath each. Each filter is shown at norm 1, since only its
    direction matters behind batch normalisation; the difference of the two is made stronger by
    the whole number written beside it. Colours as in `patchinit.chapters.pictures.filter_grid`.

    Parameters
    ----------
    before, after : Tensor of shape (F, C, kh, kw)
        C = 1 or 3.
    distances : Tensor of shape (F,)
    """
    n, channels = before.shape[:2]
    if channels not in (1, 3):
        raise ValueError(f"before has C={channels} channels; only 1 or 3 can be shown as images")
    unit = [
        torch.nn.functional.normalize(bank.flatten(1), dim=1).reshape(before.shape)
        for bank in (before, after)
    ]
    scale = float(torch.stack(unit).abs().quantile(0.995))
    difference = unit[1] - unit[0]
    factor = max(1, int(scale / max(float(difference.abs().quantile(0.995)), 1e-6)))
    for line, bank in enumerate((*unit, factor * difference)):
        bottom = 2.1 - 1.05 * line
        for index, picture in enumerate((bank / scale).clamp(-1, 1).permute(0, 2, 3, 1).numpy()):
            extent = (index + 0.05, index + 0.95, bottom, bottom + 0.9)
            if channels == 3:
                ax.imshow((picture + 1) / 2, extent=extent)
            else:
                ax.imshow(picture[..., 0], extent=extent, cmap="RdBu_r", norm=Normalize(-1, 1))
        text = ("before", "after", f"difference ×{factor}")[line]
        ax.text(-0.2, bottom + 0.45, text, ha="right", va="center", fontsize="small")
    for index, value in enumerate(distances.tolist()):
        rotation = 90 if n > 12 else 0
        ax.text(
            index + 0.5,
            -0.12,
            f"{value:.4f}",
            ha="center",
            va="top",
            fontsize="x-small",
            rotation=rotation,
        )
    ax.set(xlim=(0, n), ylim=(-1.0 if n > 12 else -0.5, 3.05), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title)
    return ax
