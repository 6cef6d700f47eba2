"""Figures of training runs: comparisons, and filters before and after. Axes in, Axes out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from torch import Tensor

from .plots import METHOD_COLORS, METHOD_LABELS
from .settings import Settings
from .stats import MARGIN
from .verdicts import Comparison


def forest(comparisons: Sequence[Comparison], *, ax: Axes, margin: float = MARGIN) -> Axes:
    """Differences from Glorot, one line an arm.

    Seeds as dots, mean, two intervals, and the paper's value hollow.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Of one data set.
    margin : float
        Half the width of the shaded band in which a difference counts as none, in percentage
        points.
    """
    ax.axvspan(-margin, margin, color="0.9", lw=0, zorder=0)
    ax.axvline(0, color="0.5", lw=1, zorder=1)
    for place, row in enumerate(comparisons):
        color = METHOD_COLORS[row.arm]
        ax.plot(
            row.differences,
            np.full(len(row.differences), place + 0.22),
            ".",
            color=color,
            alpha=0.5,
            ms=5,
        )
        if np.isfinite(row.interval.low):
            ax.plot([row.joint.low, row.joint.high], [place, place], color=color, lw=1)
            ax.plot(
                [row.interval.low, row.interval.high],
                [place, place],
                color=color,
                lw=3.5,
                solid_capstyle="butt",
            )
        ax.plot(row.interval.estimate, place, "D", color=color, ms=6, zorder=3)
        if row.paper is not None:
            ax.plot(row.paper, place - 0.24, "o", mfc="white", mec="black", ms=6, zorder=3)
    ax.set(
        ylim=(len(comparisons) - 0.4, -0.6),
        yticks=range(len(comparisons)),
        xlabel="difference from Glorot (pp)",
        yticklabels=[METHOD_LABELS[row.arm] for row in comparisons],
    )
    return ax


def mark_drop(settings: Settings, *, ax: Axes, note: bool = True) -> Axes:
    """A dotted line where the learning rate drops to a tenth."""
    if settings.drop_after < settings.epochs:
        ax.axvline(settings.drop_after + 0.5, color="0.5", lw=1, ls=":")
        if note:
            ax.annotate(
                "rate / 10",
                (settings.drop_after + 0.5, 0),
                xycoords=("data", "axes fraction"),
                xytext=(-3, 3),
                textcoords="offset points",
                rotation=90,
                ha="right",
                va="bottom",
                fontsize="x-small",
                color="0.4",
            )
    return ax


def before_after(
    before: Tensor, after: Tensor, distances: Tensor, *, ax: Axes, title: str | None = None
) -> Axes:
    """Three lines of filters: before training, after it, and their difference.

    The cosine distance stands beneath each. Each filter is shown at norm 1, since only its
    direction matters behind batch normalisation; the difference of the two is made stronger by
    the whole number written beside it. Colours as in `patchinit.plots.filter_grid`.

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
