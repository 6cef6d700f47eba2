"""What README.md opens with, from results/: python -m tools.readme

Draws the picture, and writes its alt text, the finding and the state of the work between two marks.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from companion.evidence.arms import ArmKey
from companion.evidence.comparisons import COMPONENTS, COSINE, accuracy
from companion.evidence.results import Runs
from companion.evidence.stages import RESTING, Stage, read_stages, stage_by_letter
from companion.intervals import Interval
from companion.pages.finding import NAMES, differences, draw_starts
from companion.runs.plan import plan
from companion.runs.studies import STUDIES
from patchinit.data.catalogue import DATASETS
from tools.files import write_if_changed

PAGE, PICTURE = Path("README.md"), Path("book/_static/finding.png")
MARKED = re.compile(r"(<!-- `make readme` .*?-->\n).*?(<!-- end -->)", re.DOTALL)

Stages = Mapping[str, Runs | None]


class OtherFinding(Exception):
    """The results do not say what the sentences say; the text has what they say instead."""


def alt_text(on: Stage) -> str:
    """What the picture shows, with its numbers; the picture carries it too."""
    numbers = "; ".join(f"{NAMES[key]} {one:+.2f}" for key, one in differences(on).items())
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
    gap = accuracy(on, {COMPONENTS: 1, COSINE: -1})
    apart = gap is not None and gap.estimate.interval().side() != 0
    return (
        "**Networks that start from cosine waves, which saw no image, end "
        f"{_above(found[COSINE])} those that\nstart from Glorot's random numbers. From principal "
        f"components of image patches they end {_above(found[COMPONENTS])} them.**\nThat is on "
        f"{data}, in a narrow network ({on.widths}), after {on.epochs} epochs. Waves and "
        f"components {'differ' if apart else 'cannot be told apart'} there,\nand on {other_data} "
        "nothing of the kind shows so far. It was seen by accident, and new seeds are to test it. "
        "Brackets hold\n95 % intervals."
    )


def _above(interval: Interval) -> str:
    return f"{interval.estimate:.1f} points [{interval.low:.1f}, {interval.high:.1f}] above"


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


def main() -> None:
    runs = read_stages()
    text = PAGE.read_text(encoding="utf-8")
    try:
        new = MARKED.sub(lambda marks: marks[1] + opening(runs) + marks[2], text)
    except OtherFinding as error:
        sys.exit(f"README.md has to say something else, in `finding` of tools/readme.py: {error}")
    on = stage_by_letter("B", runs, "cifar10")
    draw_starts(on).savefig(
        PICTURE, dpi=200, metadata={"Description": alt_text(on), "Software": None}
    )
    write_if_changed(PAGE, new)
    print(state(runs))


if __name__ == "__main__":
    main()
