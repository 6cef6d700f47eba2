"""Charts of training runs. Axes in, Axes out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..claims import ACCURACY_MARGIN
from ..evidence.intervals import mean_interval
from .style import METHOD_COLORS, METHOD_LABELS, METHOD_LINES, METHOD_MARKERS

if TYPE_CHECKING:  # a chapter that draws one chart does not depend on training and on claims
    from ..evidence.arms import ArmKey
    from ..evidence.comparisons import Accuracy
    from ..evidence.specifications import Specification
    from ..evidence.stages import Stage
    from ..runs.settings import Settings


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
    ax : Axes
    method : str
        Gives the line its colour.
    label : str, optional
        For the legend.
    **line
        Passed on to the line.

    Returns
    -------
    Axes
        The one given.

    Examples
    --------
    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> ax = spectrum(torch.tensor([3.0, 1.0]), ax=Figure().subplots())
    >>> ax.lines[0].get_ydata().tolist()
    [75.0, 25.0]
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
    """Every seed's curve thin, their mean thick, in the method's colour, line and marker.

    Parameters
    ----------
    values : Tensor or array of shape (S, E)
        S seeds, E epochs.
    ax : Axes
    method : str
        Gives the lines their colour and their label, and the mean its dashes and marker.
    x : Tensor or array of shape (E,), optional
        Default: 1 to E.
    interval : bool
        Shade the mean's 95 % interval (Student's t), at each epoch by itself; from two seeds on.
    label : str, optional
        Default: the method's.
    **line
        Passed on to the thick line.

    Returns
    -------
    Axes
        The one given.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = seed_curves([[1, 2, 4], [3, 4, 6]], ax=Figure().subplots(), method="kmeans")
    >>> ax.lines[-1].get_ydata().tolist(), ax.lines[-1].get_label()
    ([2.0, 3.0, 5.0], 'k-means')
    """
    values = np.asarray(values)
    x = np.arange(1, values.shape[1] + 1) if x is None else x
    # About five markers on a curve, at other places for each method.
    every = max(1, len(x) // 5)
    first = list(METHOD_MARKERS).index(method) * every // len(METHOD_MARKERS)
    line = {
        "color": METHOD_COLORS[method],
        "linewidth": 2,
        "linestyle": METHOD_LINES[method],
        "marker": METHOD_MARKERS[method],
        "markersize": 5,
        "markevery": (first, every),
        "label": label or METHOD_LABELS[method],
    } | line
    mean = values.mean(0)
    if interval and len(values) > 1:
        bounds = [mean_interval(column) for column in values.T]
        low, high = [bound.low for bound in bounds], [bound.high for bound in bounds]
        ax.fill_between(x, low, high, color=line["color"], alpha=0.18, linewidth=0)
    ax.plot(x, values.T, color=line["color"], linewidth=0.7, alpha=0.25)
    ax.plot(x, mean, **line)
    return ax


def stage_panels(
    stages: Sequence[Stage], *, height: float = 3.2, rows: int | None = None, **shared: bool
) -> tuple[Figure, list[Axes]]:
    """A panel for each stage, with its data set and length above; two side by side.

    Parameters
    ----------
    stages : sequence of Stage
        One or more.
    height : float
        Of a row, in inches.
    rows : int, optional
        Panels beneath one another for each stage, which then stand in columns.
    **shared : bool
        `sharex`, `sharey`.

    Returns
    -------
    Figure, list of Axes
        The axes in the order of the stages; with `rows`, row after row.

    Examples
    --------
    >>> from companion.evidence.stages import stages_to_show
    >>> figure, axes = stage_panels(stages_to_show({}))  # in the book's repository
    >>> [ax.get_title() for ax in axes]
    ['CIFAR-10, 15 epochs', 'Fashion-MNIST, 15 epochs']
    """
    columns = len(stages) if rows else min(len(stages), 2)
    wrapped = not rows and len(stages) > columns
    rows = rows or -(-len(stages) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(7.2, height * rows), squeeze=False, layout="constrained", **shared
    )
    if wrapped:  # keeps a title clear of the label above it
        figure.get_layout_engine().set(h_pad=0.12)
    for ax, on in zip(axes.ravel(), stages, strict=False):
        # Of four columns, titles in one line run into each other.
        title = on.label.replace(", ", ",\n") if columns > 3 else on.label
        ax.set_title(title, fontsize="small")
    *used, last = axes.ravel()
    if len(axes.ravel()) % len(stages):  # three stages leave one panel of four empty
        last.remove()
        return figure, used
    return figure, [*used, last]


def forest(
    rows: Sequence[tuple[ArmKey, Accuracy, float | None]],
    *,
    ax: Axes,
    margin: float = ACCURACY_MARGIN,
) -> Axes:
    """Differences from Glorot, one line an arm: seeds, mean, interval, the paper's value hollow.

    Parameters
    ----------
    rows : sequence of (ArmKey, Accuracy, float or None)
        The arm, its difference, and the paper's in percentage points.
    ax : Axes
    margin : float
        Half the width of the shaded band in which a difference counts as none, in percentage
        points.

    Returns
    -------
    Axes
        The one given.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from companion.evidence.stages import stages_to_show
    >>> from companion.evidence.comparisons import GLOROT, KMEANS, accuracy
    >>> on = stages_to_show({})[0]  # in the book's repository
    >>> row = KMEANS, accuracy(on, {KMEANS: 1, GLOROT: -1}), -0.34
    >>> ax = forest([row], ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['k-means']
    """
    ax.axvspan(-margin, margin, color="0.9", lw=0, zorder=0)
    ax.axvline(0, color="0.5", lw=1, zorder=1)
    for place, (of, found, paper) in enumerate(rows):
        color, interval = METHOD_COLORS[of.method], found.estimate.interval()
        heights = np.full(len(found.differences), place + 0.22)
        ax.plot(found.differences, heights, ".", color=color, alpha=0.5, ms=5)
        if interval.shown:
            ax.hlines(place, interval.low, interval.high, color=color, lw=2.5)
        ax.plot(interval.estimate, place, "D", color=color, ms=6, zorder=3)
        if paper is not None:
            ax.plot(paper, place - 0.24, "o", mfc="white", mec="black", ms=6, zorder=3)
    ax.set(
        ylim=(len(rows) - 0.4, -0.6),
        yticks=range(len(rows)),
        xlabel="difference from Glorot (pp)",
        yticklabels=[of.label for of, *_ in rows],
    )
    return ax


def mark_drop(settings: Settings, *, ax: Axes, note: bool = True) -> Axes:
    """A dotted line where the learning rate drops to a tenth; none in a run that ends before.

    Parameters
    ----------
    settings : Settings
        Of the runs that the chart shows.
    ax : Axes
        Its x axis counts epochs from 1.
    note : bool
        Write beside the line what it marks.

    Returns
    -------
    Axes
        The one given.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from companion.runs.settings import Settings
    >>> ax = mark_drop(Settings(epochs=20, drop_after=15), ax=Figure().subplots())
    >>> ax.lines[0].get_xdata(), ax.texts[0].get_text()
    ([15.5, 15.5], 'rate / 10')
    """
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


def specification_curve(
    rows: Sequence[Specification], *, axes: tuple[Axes, Axes], unchanged: float = 0.0
) -> tuple[Axes, Axes]:
    """Every specification of an effect by rising estimate, and beneath what was chosen in it.

    Registered ones are blue diamonds. A choice that is the same in all has no line beneath.

    Parameters
    ----------
    rows : sequence of Specification
        At least one. One of a single seed has no interval.
    axes : tuple of two Axes
        The curve above, and the choices beneath.
    unchanged : float
        Where the line of no effect is; 1 for a ratio.

    Returns
    -------
    tuple of two Axes
        Those given.

    References
    ----------
    Simonsohn, Simmons and Nelson (2020), "Specification curve analysis".

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from companion.evidence.intervals import Interval
    >>> from companion.evidence.specifications import Specification
    >>> rows = [
    ...     Specification({"over filters": "mean"}, Interval(2.0, 1.5, 2.7, 3), registered=True),
    ...     Specification({"over filters": "median"}, Interval(1.5, 0.9, 2.5, 3), registered=False),
    ... ]
    >>> above, beneath = specification_curve(rows, axes=Figure().subplots(2), unchanged=1)
    >>> [label.get_text() for label in beneath.get_yticklabels()]
    ['mean', 'median']
    """
    above, beneath = axes
    options = {
        name: list(dict.fromkeys(row.choices[name] for row in rows)) for name in rows[0].choices
    }
    lines = [(name, o) for name, several in options.items() if len(several) > 1 for o in several]
    above.axhline(unchanged, color="0.5", lw=1, zorder=1)
    for place, row in enumerate(sorted(rows, key=lambda row: row.interval.estimate)):
        color, marker, size = ("#0072B2", "D", 7) if row.registered else ("0.35", "o", 4)
        if np.isfinite(row.interval.low):
            width = 2.5 if row.registered else 1.2
            above.vlines(place, row.interval.low, row.interval.high, color=color, lw=width)
        above.plot(place, row.interval.estimate, marker, color=color, ms=size, zorder=3)
        chosen = [y for y, (name, option) in enumerate(lines) if row.choices[name] == option]
        beneath.plot([place] * len(chosen), chosen, marker, color=color, ms=size)
    for y, ((name, _), (after, _)) in enumerate(itertools.pairwise(lines)):
        if name != after:  # between one choice and the next
            beneath.axhline(y + 0.5, color="0.8", lw=1)
    sides = (-0.6, len(rows) - 0.4)
    above.set(xlim=sides, xticks=[])
    beneath.set(xlim=sides, xticks=[], ylim=(len(lines) - 0.4, -0.6), yticks=range(len(lines)))
    beneath.set_yticklabels([option for _, option in lines])
    for ax in axes:
        ax.tick_params(labelsize=12)
        ax.spines["bottom"].set_visible(False)
    beneath.tick_params(length=0)
    beneath.spines["left"].set_visible(False)
    return axes
