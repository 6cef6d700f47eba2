"""Charts of training runs. Each is drawn on the axes given, and returns them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from numpy.typing import ArrayLike

from ..claims import ACCURACY_MARGIN
from .style import METHOD_COLORS

if TYPE_CHECKING:  # a chapter that draws one chart does not depend on training and on claims
    from ..evidence.comparisons import Accuracy
    from ..evidence.specifications import Specification
    from ..runs.settings import Settings


@dataclass(frozen=True)
class ForestRow:
    """A comparison, as `forest` draws it."""

    label: str
    method: str  #: whose colour it has
    found: Sequence[Accuracy | None]  #: of each stage; the first is drawn large
    paper: Sequence[float | None]  #: the paper's value beside each, pp
    note: str = ""  #: at the right of the label
    color: str = "0.3"  #: of the note


#: Of the stages in a forest: marker, and how far below the row's middle. Labels are above.
FOREST_MARKS = (("D", 0.0), ("s", 0.14), ("^", 0.28), ("p", 0.4))
FOREST_LABEL, FOREST_TOP, FOREST_BOTTOM = -0.36, -0.22, 0.45


def forest(rows: Sequence[ForestRow], *, ax: Axes, margin: float = ACCURACY_MARGIN) -> Axes:
    """Differences of accuracy, pp: a row a comparison, with a mark for each stage.

    Of the first stage seeds are dots, the mean is filled and the interval thick; of the others both
    are smaller, and hollow. The paper's values are circles. A difference in the shaded band,
    `margin` to both sides, counts as none. Labels stand above their marks, so that a narrow chart
    has all its width for the differences.
    """
    places = np.arange(len(rows))
    height = FOREST_BOTTOM - FOREST_TOP
    band: dict[str, Any] = {"left": -margin, "align": "edge", "color": "0.9", "lw": 0}
    ax.barh(places + FOREST_TOP, 2 * margin, height, zorder=0, **band)
    strip = places + FOREST_TOP, places + FOREST_BOTTOM
    ax.vlines(np.zeros(len(rows)), *strip, color="0.5", lw=1, zorder=1)
    beside: dict[str, Any] = {"va": "center", "fontsize": "small"}
    beside["transform"] = ax.get_yaxis_transform()
    for place, row in enumerate(rows):
        color = METHOD_COLORS[row.method]
        marks = zip(row.found, row.paper, FOREST_MARKS, strict=False)
        for number, (found, paper, (marker, shift)) in enumerate(marks):
            y = place + shift
            if found is not None:
                interval = found.estimate.interval()
                if interval.shown:
                    width = 1.2 if number else 3
                    ax.hlines(y, interval.low, interval.high, color=color, lw=width)
                look: dict[str, Any] = {"mfc": "white", "ms": 5} if number else {"ms": 7}
                if not number:
                    heights = np.full(len(found.differences), y - 0.14)
                    ax.plot(found.differences, heights, ".", color=color, alpha=0.5, ms=5)
                ax.plot(interval.estimate, y, marker, color=color, zorder=3, **look)
            if paper is not None:
                ax.plot(paper, y, "o", mfc="none", mec="black", ms=9, mew=1.2, zorder=4)
        ax.text(0, place + FOREST_LABEL, row.label, **beside)
        note: dict[str, Any] = {"ha": "right", "color": row.color}
        ax.text(1, place + FOREST_LABEL, row.note, **note, **beside)
    ax.set(ylim=(len(rows) - 0.5, -0.5), yticks=[], xlabel="difference of final accuracy (pp)")
    ax.spines["left"].set_visible(False)
    return ax


def labels_at_right(
    names: Sequence[tuple[float, float, str, str]], *, ax: Axes, fontsize: float | str = "small"
) -> list[Annotation]:
    """Names at the right of their points (x, y, text, colour), moved apart where they would touch.

    Comes last: what is drawn later moves the points.
    """
    assert isinstance(ax.figure, Figure)
    ax.figure.draw_without_rendering()
    size = font_manager.FontProperties(size=fontsize).get_size_in_points()
    points = 72 / ax.figure.dpi  # in one pixel
    at = ax.transData.transform([name[:2] for name in names]).reshape(-1, 2) * points
    heights = at[:, 1].copy()
    for _ in range(100):
        for i, j in itertools.combinations(np.argsort(heights, kind="stable"), 2):
            overlap = 1.25 * size - (heights[j] - heights[i])
            if overlap > 0 and abs(at[i, 0] - at[j, 0]) < 8 * size:
                heights[[i, j]] += -overlap / 2, overlap / 2
    look: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": fontsize}
    return [
        ax.annotate(text, (x, y), (0.8 * size, height - start), color=color, **look)
        for (x, y, text, color), height, start in zip(names, heights, at[:, 1], strict=True)
    ]


def spread_out(heights: ArrayLike, least: float) -> np.ndarray:
    """Heights moved apart as little as it takes for neighbours to lie `least` apart; order kept.

    >>> spread_out([1.0, 5.0, 1.0], 1.0).tolist()
    [0.5, 5.0, 1.5]
    """
    heights = np.asarray(heights, dtype=float)
    order = np.argsort(heights, kind="stable")
    blocks: list[list[float]] = []  # of neighbours that touch: their heights less their offsets
    for height in heights[order]:
        blocks.append([height])
        while len(blocks) > 1 and _top(blocks[-2], least) > _bottom(blocks[-1], least) - least:
            last = blocks.pop()
            blocks[-1] += last
    moved = [_bottom(block, least) + least * i for block in blocks for i in range(len(block))]
    found = np.empty_like(heights)
    found[order] = moved
    return found


def _bottom(block: Sequence[float], least: float) -> float:
    return float(np.mean(block)) - least * (len(block) - 1) / 2


def _top(block: Sequence[float], least: float) -> float:
    return float(np.mean(block)) + least * (len(block) - 1) / 2


def mark_drop(settings: Settings, *, ax: Axes, note: bool = True) -> Axes:
    """A dotted line where the learning rate drops to a tenth; none in a run that ends before.

    The x axis counts epochs from 1.
    """
    if settings.drop_after < settings.epochs:
        at, foot = settings.drop_after + 0.5, ("data", "axes fraction")
        ax.axvline(at, color="0.5", lw=1, ls=":")
        if note:
            look: dict[str, Any] = {"fontsize": "x-small", "color": "0.4", "rotation": 90}
            look |= {"ha": "right", "va": "bottom"}
            ax.annotate("rate / 10", (at, 0), (-3, 3), foot, "offset points", **look)
    return ax


def specification_curve(
    rows: Sequence[Specification], *, axes: tuple[Axes, Axes], unchanged: float = 0.0
) -> tuple[Axes, Axes]:
    """Every specification of an effect by rising estimate, and beneath what was chosen in it.

    Registered ones are blue diamonds. A choice that is the same in all has no line beneath, and a
    specification of a single seed no interval. No effect is at `unchanged`; 1 for a ratio. After
    Simonsohn, Simmons and Nelson (2020), "Specification curve analysis".
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
