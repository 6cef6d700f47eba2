"""README.md opens with what results/ say, and names the Jupyter Book that is installed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from companion.evidence.comparisons import COMPONENTS
from companion.evidence.stages import read_stages, stage_by_letter
from companion.pages.finding import differences
from tests.synthetic import write_study
from tools.readme import (
    MARKED,
    PICTURE,
    OtherFinding,
    alt_text,
    finding,
    opening,
    state,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs():
    return read_stages(ROOT / "results")


def test_the_state_of_the_work_is_that_of_the_results(runs):
    line = state(runs)
    assert line in README.splitlines(), f"`make readme` writes this line of README.md: {line}"


def test_the_finding_is_that_of_the_results(runs):
    wanted = opening(runs)
    (_, shown, _) = re.split(r"<!-- .* -->\n", README)
    assert MARKED.search(README), "README.md has lost the marks between which `make readme` writes"
    assert shown == wanted, f"run `make readme`; README.md should open with:\n{wanted}"


def test_the_picture_is_of_these_numbers_and_small(runs):
    with Image.open(ROOT / PICTURE) as picture:
        drawn = picture.info["Description"]
    wanted = alt_text(stage_by_letter("B", runs, "cifar10"))
    assert drawn == wanted, f"run `make readme`; {PICTURE} should show: {wanted}"
    assert (ROOT / PICTURE).stat().st_size < 100_000


def leads(**points):
    """Accuracies with a lead over Glorot on CIFAR-10, or elsewhere as `beside`."""
    beside = points.pop("beside", {})

    def accuracy(dataset, key):
        return 70.0 + (points if dataset == "cifar10" else beside).get(key.method, 0.0)

    return accuracy


TIDY = {"cosine_basis": 2.0, "principal_components": 1.0}


@pytest.mark.parametrize(
    ("accuracy", "instead"),
    [
        (leads(**TIDY), None),
        (leads(cosine_basis=1.0, principal_components=2.0), "principal components, cosine waves"),
        (leads(cosine_basis=2.0), "CIFAR-10.*: cosine waves$"),
        (leads(), "CIFAR-10.*: nothing"),
        (leads(**TIDY, beside={"kmeans": 2.0}), "Fashion-MNIST.*: k-means"),
    ],
)
def test_results_that_say_something_else_get_no_such_sentence(tmp_path, accuracy, instead):
    write_study(tmp_path, "grid", accuracy=accuracy, noise=0.05)
    made = read_stages(tmp_path / "results")
    if instead is None:
        lead = differences(stage_by_letter("B", made, "cifar10"))[COMPONENTS]
        assert f"{lead.estimate:.1f} points [{lead.low:.1f}, {lead.high:.1f}] above" in finding(
            made
        )
    else:
        with pytest.raises(OtherFinding, match=instead):
            finding(made)


def test_the_state_counts_registered_seeds_alone(tmp_path):
    """Two seeds of each arm of stage C on CIFAR-10, which is all of them, and one that is extra."""
    write_study(tmp_path, "null", seeds=range(2), keep=lambda s: s.dataset == "cifar10")
    made = read_stages(tmp_path / "results")
    assert ": 8 of " in (line := state(made)) and line.endswith(": stage C on CIFAR-10.")
    arm, *others = made["null"].arms
    extra = tuple(
        replace(one, settings=replace(one.settings, seed=one.settings.seed + 9))
        for one in arm.results
    )
    more = replace(made["null"], arms=(replace(arm, results=arm.results + extra), *others))
    assert state({**made, "null": more}) == line
    assert state({}).endswith(": no stage.")


@pytest.mark.parametrize("page", ["README.md", "book/reproduce.md"])
def test_the_version_of_jupyter_book_is_the_pinned_one(page):
    (pinned,) = re.findall(r'"jupyter-book==(.+)"', (ROOT / "pyproject.toml").read_text())
    named = re.findall(r"Jupyter Book (\d+\.[\w.]*\w)", (ROOT / page).read_text())
    assert named == [pinned]
