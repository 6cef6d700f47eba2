"""The finding in one picture: what each start did to the network, beside some of its filters."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evidence.arms import Arm, ArmKey
from ..evidence.comparisons import COMPONENTS, COSINE, GLOROT, KMEANS, PATCHES, RANDOM, accuracy
from ..evidence.stages import Stage
from ..intervals import Interval
from .style import METHOD_COLORS, METHOD_LABELS, METHOD_MARKERS
from .widgets.starts import Start

NAMES = {
    COSINE: "cosine waves",
    COMPONENTS: "principal components",
    RANDOM: "random orthonormal",
    KMEANS: "k-means",
    PATCHES: "random patches",
}
WIDTH, LINE, FOOT = 7.2, 0.37, 0.75  # inches, of a line, and below the last
NAME, CHART, NUMBERS = 1.75, 1.95, 1.85  # inches from the left, which a phone shows first
N_SHOWN = 4  # filters of each bank


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
    """A line for each start of three pairs or more: name, difference from Glorot, some filters."""
    found = {key: value for key, value in differences(on).items() if value.shown}
    n_lines = len(found) + 1
    size = (WIDTH, n_lines * LINE + FOOT)
    figure = plt.figure(figsize=size, layout="none")
    bottom, height = (FOOT - 0.06) / size[1], n_lines * LINE / size[1]
    ax = figure.add_axes((NAME / WIDTH, bottom, CHART / WIDTH, height))
    left, width = NAME + CHART + NUMBERS, N_SHOWN * LINE  # the filters are square
    banks = figure.add_axes((left / WIDTH, bottom, width / WIDTH, height))
    ax.axvline(0, color="0.5", lw=1)
    text: dict = {"va": "center", "fontsize": 11}
    for place, key in enumerate([*found, GLOROT]):
        arm, color = on.arm(key), METHOD_COLORS[key.method]
        assert arm is not None  # it is compared
        _bank(banks, arm, place)
        beside = ax.get_yaxis_transform()
        name = NAMES.get(key, "Glorot uniform")
        ax.text(-0.04, place, name, ha="right", transform=beside, **text)
        ends = (0.0, 0.0, 0.0)  # Glorot's own
        if value := found.get(key):
            ends = (value.low, value.estimate, value.high)
            ax.text(1.04, place, f"{value:+.2f}", color=color, transform=beside, **text)
        ax.plot(ends[::2], [place, place], color=color, lw=2.5)
        ax.plot(ends[1], place, METHOD_MARKERS[key.method], color=color, ms=7)
    for one in (banks, ax):
        one.set(ylim=(n_lines - 0.5, -0.5), yticks=[])
        one.spines[["left", "top", "right"]].set_visible(False)
    banks.set(xlim=(0, N_SHOWN), xticks=[])
    banks.spines["bottom"].set_visible(False)
    ax.tick_params(labelsize=10)
    pairs = [one.n for one in found.values()]
    of_pairs = f"from {min(pairs)} to {max(pairs)} pairs" if found else "wait for three pairs"
    note = (
        f"points above Glorot's start, 95 % intervals\n{of_pairs} of runs; {on.label}, {on.widths}"
    )
    figure.text(0.01, 0.05 / size[1], note, va="bottom", fontsize=10)
    return figure


def courses(on: Stage, *, snapshots: int = 6) -> list[Start]:
    """The starts that networks were trained from, each at its own norm, to choose from.

    Of each the first seed's run, at so many epochs from the first to the last.
    """
    leads, found = differences(on), []
    for method, label in METHOD_LABELS.items():
        if arm := on.arm(ArmKey(method)):
            run = arm.results[0]
            kept = np.unique(np.linspace(0, len(run.filters) - 1, snapshots).round().astype(int))
            filters = torch.from_numpy(run.filters[kept].astype(np.float32))
            epochs = tuple(run.filter_epochs[kept].tolist())
            found.append(Start(label, epochs, filters, leads.get(ArmKey(method))))
    return found
