"""The finding in one picture: what each start did to the network, beside some of its filters."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evidence.arms import Arm, ArmKey
from ..evidence.comparisons import COMPONENTS, COSINE, GLOROT, KMEANS, PATCHES, RANDOM, accuracy
from ..evidence.stages import Stage
from ..intervals import Interval
from .style import METHOD_COLORS, METHOD_MARKERS

NAMES = {
    COSINE: "cosine waves",
    COMPONENTS: "principal components",
    RANDOM: "random orthonormal",
    KMEANS: "k-means",
    PATCHES: "random patches",
}
WIDTH, LINE, FOOT = 7.2, 0.39, 0.56  # inches, of a line, and below the last
N_SHOWN = 6  # filters of each bank


def differences(on: Stage) -> dict[ArmKey, Interval]:
    """Final accuracy of each start minus Glorot's in percentage points, the highest first."""
    found = {key: accuracy(on, {key: 1, GLOROT: -1}) for key in NAMES}
    intervals = {key: one.estimate.interval() for key, one in found.items() if one}
    return dict(sorted(intervals.items(), key=lambda item: -item[1].estimate))


def _bank(ax: Axes, arm: Arm, place: int) -> None:
    """Filters from all over the first seed's bank, side by side, on the bank's own scale."""
    filters = arm.results[0].filters[0].astype(float)
    some = filters[np.linspace(0, len(filters) - 1, N_SHOWN).round().astype(int)]
    for left, picture in enumerate(some / np.abs(some).max()):
        box = (left + 0.05, left + 0.95, place + 0.45, place - 0.45)
        ax.imshow((picture.transpose(1, 2, 0) + 1) / 2, extent=box, interpolation="none")


def draw_starts(on: Stage) -> Figure:
    """A line for each start of three pairs or more: name, some filters, difference from Glorot."""
    found = {key: value for key, value in differences(on).items() if value.shown}
    n_lines = len(found) + 1
    size = (WIDTH, n_lines * LINE + FOOT)
    figure = plt.figure(figsize=size, layout="none")
    bottom, height = (FOOT - 0.06) / size[1], n_lines * LINE / size[1]
    width = N_SHOWN * LINE / WIDTH  # the filters are square
    banks = figure.add_axes((0.235, bottom, width, height))
    ax = figure.add_axes((0.265 + width, bottom, 0.55 - width, height))
    ax.axvline(0, color="0.5", lw=1)
    text: dict = {"va": "center", "fontsize": 9}
    for place, key in enumerate([*found, GLOROT]):
        arm, color = on.arm(key), METHOD_COLORS[key.method]
        assert arm is not None  # it is compared
        _bank(banks, arm, place)
        banks.text(-0.2, place, NAMES.get(key, "Glorot's random numbers"), ha="right", **text)
        ends = (0.0, 0.0, 0.0)  # Glorot's own
        if value := found.get(key):
            ends = (value.low, value.estimate, value.high)
            beside = ax.get_yaxis_transform()
            ax.text(1.04, place, f"{value:+.2f}", color=color, transform=beside, **text)
        ax.plot(ends[::2], [place, place], color=color, lw=2.5)
        ax.plot(ends[1], place, METHOD_MARKERS[key.method], color=color, ms=7)
    for one in (banks, ax):
        one.set(ylim=(n_lines - 0.5, -0.5), yticks=[])
        one.spines[["left", "top", "right"]].set_visible(False)
    banks.set(xlim=(0, N_SHOWN), xticks=[])
    banks.spines["bottom"].set_visible(False)
    ax.tick_params(labelsize=8)
    pairs = [one.n for one in found.values()]
    of_pairs = f"from {min(pairs)} to {max(pairs)} pairs" if found else "wait for three pairs"
    note = (
        f"percentage points above Glorot's start, 95 % intervals {of_pairs} of runs; "
        f"{on.label}, {on.widths}"
    )
    figure.text(0.99, 0.03 / size[1], note, ha="right", fontsize=8)
    return figure
