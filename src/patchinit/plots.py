"""Figures: Axes in, Axes out; one colour for each method everywhere."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from scipy import stats
from torch import Tensor

# Okabe and Ito's palette, told apart by readers with any colour vision;
# grey for what knows nothing.
METHOD_COLORS = {
    "principal_components": "#0072B2",
    "kmeans": "#D55E00",
    "kmedoids": "#E69F00",
    "kmedians": "#8A6A00",
    "random_patches": "#009E73",
    "pca_whitening": "#56B4E9",
    "random_orthonormal": "#CC79A7",
    "cosine_basis": "#7A3E9D",
    "glorot_uniform": "#4D4D4D",
    "kaiming_normal": "#9A9A9A",
}
METHOD_LABELS = {
    "principal_components": "principal components",
    "kmeans": "k-means",
    "kmedoids": "k-medoids",
    "kmedians": "k-medians",
    "random_patches": "random patches",
    "pca_whitening": "PCA whitening",
    "random_orthonormal": "random orthonormal",
    "cosine_basis": "cosine basis",
    "glorot_uniform": "Glorot uniform",
    "kaiming_normal": "Kaiming normal",
}


def use_style() -> None:
    """The book's look for all figures that follow (changes matplotlib's settings)."""
    sns.set_theme(context="notebook", style="ticks", palette=list(METHOD_COLORS.values()))
    mpl.rcParams.update(
        {
            "figure.dpi": 144,
            "figure.figsize": (7.2, 3.4),
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "image.interpolation": "nearest",
        }
    )


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


def spectrum(
    eigenvalues: Tensor,
    *,
    ax: Axes,
    method: str = "principal_components",
    label: str | None = None,
    **line,
) -> Axes:
    """Share of the variance along each component, on a logarithmic axis.

    Parameters
    ----------
    eigenvalues : Tensor of shape (d,)
        Largest first; values below 1e-6 of the sum are drawn there.
    """
    share = (eigenvalues / eigenvalues.sum()).clamp_min(1e-6).numpy()
    line = {"color": METHOD_COLORS[method], "marker": "o", "markersize": 4} | line
    ax.plot(np.arange(1, len(share) + 1), 100 * share, label=label, **line)
    ax.set(yscale="log", xlabel="component (1 = most variance)", ylabel="share of variance (%)")
    return ax


def seed_curves(
    values: Tensor | np.ndarray,
    *,
    ax: Axes,
    method: str,
    x: Tensor | np.ndarray | None = None,
    interval: bool = False,
    label: str | None = None,
    **line,
) -> Axes:
    """Every seed's curve thin, their mean thick, in the method's colour.

    Parameters
    ----------
    values : Tensor or array of shape (S, E)
        S seeds, E epochs.
    x : Tensor or array of shape (E,), optional
        Default: 1 to E.
    interval : bool
        Shade the mean's 95 % interval (Student's t), at each epoch by itself; from two seeds on.
    label : str, optional
        Default: the method's.
    **line
        Passed on to the thick line.
    """
    values = np.asarray(values)
    x = np.arange(1, values.shape[1] + 1) if x is None else x
    line = {
        "color": METHOD_COLORS[method],
        "linewidth": 2,
        "label": label or METHOD_LABELS[method],
    } | line
    mean = values.mean(0)
    if interval and len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values, axis=0)
        ax.fill_between(x, mean - half, mean + half, color=line["color"], alpha=0.18, linewidth=0)
    ax.plot(x, values.T, color=line["color"], linewidth=0.8, alpha=0.4)
    ax.plot(x, mean, **line)
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
