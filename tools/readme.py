"""What README.md opens with, from results/: python -m tools.readme

Draws the picture, and writes its alt text, the finding and the state of the work between two marks.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.evidence.arms import Arm, ArmKey
from companion.evidence.comparisons import (
    COMPONENTS,
    COSINE,
    GLOROT,
    KMEANS,
    PATCHES,
    RANDOM,
    accuracy,
)
from companion.evidence.results import Runs
from companion.evidence.stages import Stage, read_stages, stage_by_letter
from companion.intervals import Interval
from companion.pages.style import METHOD_COLORS, METHOD_MARKERS
from companion.runs.plan import plan
from companion.runs.studies import STUDIES
from patchinit.data.catalogue import DATASETS
from tools.files import write_if_changed

PAGE, PICTURE = Path("README.md"), Path("book/_static/finding.png")
MARKED = re.compile(r"(<!-- `make readme` .*?-->\n).*?(<!-- end -->)", re.DOTALL)
NAMES = {
    COSINE: "cosine waves",
    COMPONENTS: "principal components",
    RANDOM: "random orthonormal",
    KMEANS: "k-means",
    PATCHES: "random patches",
}
SIZE = (7.2, 2.9)  # inches
N_SHOWN = 6  # filters of each bank
RESTING = ("D", "E")  # as the protocol has it

Stages = Mapping[str, Runs | None]


class OtherFinding(Exception):
    """The results do not say what the sentences say; the text has what they say instead."""


def differences(on: Stage) -> dict[ArmKey, Interval]:
    """Final accuracy of each start minus Glorot's in percentage points, the highest first."""
    found = {key: accuracy(on, {key: 1, GLOROT: -1}) for key in NAMES}
    intervals = {key: one.estimate.interval() for key, one in found.items() if one}
    return dict(sorted(intervals.items(), key=lambda item: -item[1].estimate))


def alt_text(on: Stage) -> str:
    """What the picture shows, with its numbers; the picture carries it too."""
    numbers = "; ".join(f"{NAMES[key]} {one:+.1f}" for key, one in differences(on).items())
    return (
        f"Final accuracy minus that of Glorot's start, in percentage points with 95 % intervals, "
        f"{on.label}, {on.widths}: {numbers}."
    )


def finding(runs: Stages) -> str:
    """The two sentences; OtherFinding where the results do not bear them."""
    on, other = (stage_by_letter("B", runs, dataset) for dataset in ("cifar10", "fashion_mnist"))
    found, beside = differences(on), differences(other)
    above = [key for key, one in found.items() if one.shown and one.side() > 0]
    if above != [COSINE, COMPONENTS]:
        raise OtherFinding(f"above Glorot on {on.label}: {_named(above)}")
    if lead := [key for key, one in beside.items() if one.shown and one.side() > 0]:
        raise OtherFinding(f"above Glorot on {other.label}: {_named(lead)}")
    if COMPONENTS not in beside:
        raise OtherFinding(f"no runs of components and Glorot on {other.label}")
    data, other_data = (DATASETS[stage.dataset].label for stage in (on, other))
    return (
        "**Cosine waves, which saw no image, start the network best: it ends "
        f"{found[COSINE]:+.1f} points of accuracy above\none that starts from Glorot's random "
        f"numbers; from principal components of image patches it ends {found[COMPONENTS]:+.1f} "
        f"above.**\nThat is on {data}, in a narrow network ({on.widths}), after {on.epochs} "
        f"epochs; on {other_data} nothing of the kind shows so\nfar (components "
        f"{beside[COMPONENTS]:+.1f}). Brackets hold 95 % intervals."
    )


def _named(keys: list[ArmKey]) -> str:
    return ", ".join(NAMES[key] for key in keys) or "nothing"


def state(runs: Stages) -> str:
    """How far the registered runs are, on one line."""
    n_in = n_all = n_resting = 0
    complete = []
    for study in (study for study in STUDIES.values() if study.stage):
        done = []
        for dataset in study.datasets:
            planned = len(plan(study, datasets=(dataset,)))
            on = Stage(runs.get(study.name), study, dataset)
            missing = planned - sum(len(set(arm.seeds) & on.seeds_of(arm.key)) for arm in on.arms)
            n_in += planned - missing
            n_all += planned
            n_resting += missing if study.stage in RESTING else 0
            done += [DATASETS[dataset].label] if not missing else []
        if done:
            where = "" if len(done) == len(study.datasets) else f" on {' and '.join(done)}"
            complete.append(f"stage {study.stage}{where}")
    return (
        f"State of the work: {n_in} of {n_all} [registered runs](book/protocol.md) are in, and "
        f"{n_resting} are set aside (stages {' and '.join(RESTING)}); complete: "
        f"{', '.join(complete) or 'no stage'}."
    )


def opening(runs: Stages) -> str:
    """What stands between the marks."""
    alt = alt_text(stage_by_letter("B", runs, "cifar10"))
    return f"\n![{alt}]({PICTURE})\n\n{finding(runs)}\n\n{state(runs)}\n\n"


def _bank(ax: Axes, arm: Arm, place: int) -> None:
    """Filters from all over the first seed's bank, side by side, on the bank's own scale."""
    filters = arm.results[0].filters[0].astype(float)
    some = filters[np.linspace(0, len(filters) - 1, N_SHOWN).round().astype(int)]
    for left, picture in enumerate(some / np.abs(some).max()):
        box = (left + 0.05, left + 0.95, place + 0.45, place - 0.45)
        ax.imshow((picture.transpose(1, 2, 0) + 1) / 2, extent=box, interpolation="nearest")


def draw(on: Stage) -> Figure:
    """A line for each start: its name, some of its filters, the difference from Glorot."""
    found = differences(on)
    figure = Figure(figsize=SIZE, facecolor="white")
    n_lines, bottom, height = len(found) + 1, 0.17, 0.8
    width = height * SIZE[1] / SIZE[0] / n_lines * N_SHOWN  # the filters are square
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
            ax.text(1.04, place, f"{value:+.1f}", color=color, transform=beside, **text)
        ax.plot(ends[::2], [place, place], color=color, lw=2.5)
        ax.plot(ends[1], place, METHOD_MARKERS[key.method], color=color, ms=7)
    for one in (banks, ax):
        one.set(ylim=(n_lines - 0.5, -0.5), yticks=[])
        one.spines[["left", "top", "right"]].set_visible(False)
    banks.set(xlim=(0, N_SHOWN), xticks=[])
    banks.spines["bottom"].set_visible(False)
    ax.tick_params(labelsize=8)
    pairs = [one.n for one in found.values()]
    note = (
        f"percentage points above Glorot's start, 95 % intervals from {min(pairs)} to {max(pairs)} "
        f"pairs of runs; {on.label}, {on.widths}"
    )
    figure.text(0.99, 0.01, note, ha="right", fontsize=8)
    return figure


def main() -> None:
    runs = read_stages()
    text = PAGE.read_text(encoding="utf-8")
    try:
        new = MARKED.sub(lambda marks: marks[1] + opening(runs) + marks[2], text)
    except OtherFinding as error:
        sys.exit(f"README.md has to say something else, in `finding` of tools/readme.py: {error}")
    on = stage_by_letter("B", runs, "cifar10")
    draw(on).savefig(PICTURE, dpi=200, metadata={"Description": alt_text(on), "Software": None})
    write_if_changed(PAGE, new)
    print(state(runs))


if __name__ == "__main__":
    main()
