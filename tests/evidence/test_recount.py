"""The module's numbers against those of tools/recount.py, which shares no code with it."""

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from companion.evidence import comparisons
from companion.evidence.results import of_named, read_runs
from companion.evidence.stages import Stage
from companion.runs.studies import STUDIES
from tests.synthetic import write_study
from tools import recount

RESULTS = Path(__file__).parents[2] / "results"
COLLECTED = sorted(path.parent.name for path in RESULTS.glob("*/runs.csv"))
CLAIM_9 = {
    "principal_components, frozen": 1,
    "principal_components": -1,
    "random_orthonormal, frozen": -1,
    "random_orthonormal": 1,
}


def agree(ours, theirs):
    """An Estimate or an Interval of the module, and what was found without it."""
    interval = ours.interval() if hasattr(ours, "interval") else ours
    if theirs is None:  # one seed, and nothing tells of the spread: a number without bounds
        assert interval is None or (interval.n == 1 and not interval.shown)
        return
    if theirs.n < 2:  # the bounds of one seed say nothing: the whole scale, written two ways
        assert interval.n == theirs.n and not interval.shown
        assert interval.estimate == pytest.approx(theirs.value, rel=1e-9, abs=1e-11)
        return
    values = [interval.estimate, interval.low, interval.high]
    # An absolute bound for what lies near zero.
    np.testing.assert_allclose(
        values, [theirs.value, theirs.low, theirs.high], rtol=1e-9, atol=1e-11
    )
    assert interval.n == theirs.n


def compare(name, results):
    """Every number of a study; how many there were."""
    runs, study, n = read_runs(name, folder=results), STUDIES[name], 0
    found = recount.read_study(name, results)
    assert sorted(found) == sorted(runs.datasets)
    for dataset, arms in found.items():
        on = Stage(runs, study, dataset)
        of = {arm: of_named(study, arm) for arm in arms}
        assert {arm.of for arm in on.arms} == set(of.values())
        for arm in arms:
            ours, theirs = on.paired(of[arm])[0].final, [run.final for run in arms[arm].values()]
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
            if not any(run.frozen for run in arms[arm].values()):
                for with_last in (True, False):
                    theirs = recount.order(arms, arm, with_last=with_last)
                    agree(comparisons.order(on, of[arm], with_last=with_last), theirs)
                    n += 1
        for one, other in itertools.combinations(arms, 2):
            if recount.without_twins(arms):  # in `precision` all are twins, and nothing is pooled
                weights = {one: 1, other: -1}
                ours = comparisons.accuracy(on, {of[one]: 1, of[other]: -1})
                agree(ours and ours.estimate, recount.accuracy(arms, weights))
                ours = comparisons.speed(on, of[one], of[other])
                agree(ours, recount.speed(arms, one, other))
                n += 2
            if theirs := recount.ratio(arms, one, other):
                agree(comparisons.ratio(on, of[one], of[other]), theirs)
                n += 1
        if CLAIM_9.keys() <= arms.keys():
            ours = comparisons.accuracy(on, {of[arm]: c for arm, c in CLAIM_9.items()})
            agree(ours and ours.estimate, recount.accuracy(arms, CLAIM_9))
    return n


@pytest.mark.parametrize("name", COLLECTED)
def test_every_collected_study_counted_again(name):
    assert compare(name, RESULTS)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Stage B as it may be one day on Fashion-MNIST, with three seeds of each arm."""
    root = tmp_path_factory.mktemp("grid")
    shares = {"principal_components": 0.02, "kmeans": 0.03}
    write_study(
        root,
        "grid",
        distance=lambda dataset, of, index: shares.get(of.method, 0.1) * (1 + index),
        seeds=range(3),
        keep=lambda settings: settings.dataset == "fashion_mnist",
        noise=0.4,
    )
    return root / "results"


def test_a_whole_stage_counted_again(grid):
    """Frozen arms and the four arms of claim 9 as well."""
    arms = recount.read_study("grid", grid)["fashion_mnist"]
    assert CLAIM_9.keys() <= arms.keys() and len(arms) == 11
    assert compare("grid", grid) == 154


@pytest.fixture
def copied(tmp_path):
    """A folder of results of its own with the reduced runs."""
    shutil.copytree(RESULTS / "paper-small", tmp_path / "paper-small")
    shutil.copy(RESULTS / "registration.json", tmp_path)
    return tmp_path


def tamper(path, column, value, line=1):
    """Another value in one line of a table."""
    rows = path.read_text().splitlines()
    cells = rows[line].split(",")
    cells[rows[0].split(",").index(column)] = value
    rows[line] = ",".join(cells)
    path.write_text("\n".join(rows) + "\n")


def test_another_accuracy_in_a_table_is_found(copied):
    assert compare("paper-small", copied)
    tamper(copied / "paper-small/runs.csv", "final_accuracy", "0.5836")
    with pytest.raises(ValueError, match=r"runs.csv .*seed-0 .* 0\.583600, not 0\.573600"):
        compare("paper-small", copied)


def test_another_accuracy_of_an_epoch_is_found(copied):
    tamper(copied / "paper-small/epochs.csv", "test_accuracy", "0.9", line=2)
    with pytest.raises(ValueError, match="epochs.csv gives cifar10--glorot_uniform--seed-0 other"):
        compare("paper-small", copied)


@pytest.mark.parametrize(
    ("column", "value"), [("seed", "1"), ("arm", "kmeans"), ("code", "0123456789abcdef")]
)
def test_a_run_that_a_table_calls_otherwise_is_found(copied, column, value):
    tamper(copied / "paper-small/runs.csv", column, value)
    with pytest.raises(AssertionError):
        compare("paper-small", copied)


def test_a_run_that_diverged_counts_alike(copied):
    """Its last finite filters stand for the end."""
    folder = copied / "paper-small"
    path = folder / "runs/cifar10--kmeans--seed-1.npz"
    with np.load(path) as record:
        arrays = dict(record)
    arrays["ends"][1, 0] = np.nan
    arrays["filters"][-2:] = np.inf
    np.savez_compressed(path, **arrays)
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["files"]["runs/cifar10--kmeans--seed-1.npz"] = digest
    (folder / "manifest.json").write_text(json.dumps(manifest))

    before, after = (recount.read_study("paper-small", root) for root in (RESULTS, copied))
    changed = [study["cifar10"]["kmeans"][1].distances for study in (before, after)]
    assert not np.allclose(*changed)
    assert compare("paper-small", copied)


@pytest.mark.parametrize("freedom", [1, 1.5, 2, 3.7, 8, 20, 1234.5, 1e5])
@pytest.mark.parametrize("level", [0.95, 0.978])
def test_quantiles_of_students_t(freedom, level):
    wanted = stats.t.ppf(0.5 + level / 2, freedom)
    assert recount.t_quantile(freedom, level) == pytest.approx(wanted, rel=1e-9)


def test_the_page_names_every_study_and_its_means():
    lines = "\n".join(recount.report("paper-small", RESULTS))
    runs = read_runs("paper-small", folder=RESULTS)
    for arm in runs.arms:
        assert f"{arm.final.mean():.4f}  {len(arm.seeds)}" in lines
    assert "paper-small, fashion_mnist" in lines
