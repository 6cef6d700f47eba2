"""Losses, best epochs and other roundings, against numbers worked out apart from the module."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from companion.evidence import beside
from companion.evidence.comparisons import COMPONENTS, GLOROT, KMEANS, accuracy, difference
from companion.evidence.results import Runs, read_runs
from companion.evidence.stages import Stage, stage_by_letter
from companion.runs.studies import STUDIES
from tests.synthetic import write_study


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Stage B on CIFAR-10, with its own seeds, losses and training accuracies."""
    root = tmp_path_factory.mktemp("runs")
    write_study(root, "grid", noise=0.5, keep=lambda s: s.dataset == "cifar10")
    runs = read_runs("grid", folder=root / "results")
    return with_runs(stage_by_letter("B", {"grid": runs}, "cifar10"), varied)


def with_runs(on: Stage, change) -> Stage:
    arms = tuple(
        replace(arm, results=tuple(change(result) for result in arm.results))
        for arm in on.runs.arms
    )
    return replace(on, runs=replace(on.runs, arms=arms))


def varied(result):
    rng = np.random.default_rng([result.settings.seed, len(result.settings.method)])
    epochs = [
        replace(e, train_loss=rng.uniform(), train_accuracy=rng.uniform()) for e in result.epochs
    ]
    return replace(result, epochs=epochs, final_loss=rng.uniform())


def test_values_of_a_run(stage):
    arm = stage.arm(COMPONENTS)
    run = arm.results[2]
    assert beside.test_loss(arm)[2] == run.final_loss
    assert beside.train_loss(arm)[2] == run.epochs[-1].train_loss
    assert beside.train_accuracy(arm).shape == arm.accuracy.shape
    assert beside.train_accuracy(arm)[2, 4] == 100 * run.epochs[4].train_accuracy
    assert beside.best_accuracy(arm)[2] == pytest.approx(
        100 * max(e.test_accuracy for e in run.epochs)
    )


def test_a_difference_has_the_spread_of_all_arms(stage):
    found = difference(stage, COMPONENTS, GLOROT, beside.test_loss)
    ours, theirs = (beside.test_loss(arm) for arm in stage.paired(COMPONENTS, GLOROT))
    assert found.value == pytest.approx(np.mean(ours - theirs))
    # Arm plus seed by normal equations on dummies, in place of the module's least squares.
    rows = [(a, s, v) for a, arm in enumerate(stage.arms)
            for s, v in zip(arm.seeds, beside.test_loss(arm), strict=True)]  # fmt: skip
    arms, seeds = max(r[0] for r in rows) + 1, max(r[1] for r in rows) + 1
    design = np.zeros((len(rows), arms + seeds))
    for i, (a, s, _) in enumerate(rows):
        design[i, a] = design[i, arms + s] = 1
    y = np.array([r[2] for r in rows])
    rest = y - design @ (np.linalg.pinv(design) @ y)
    freedom = len(rows) - arms - seeds + 1
    error = np.sqrt(2 * rest @ rest / freedom / len(ours))
    assert (found.error, found.freedom) == (pytest.approx(error), freedom)


def test_no_difference_where_a_run_has_no_value(stage):
    arm = stage.arms[0]

    def value(of):
        return np.full(len(of.seeds), np.nan if of.key == arm.key else 1.0)

    assert difference(stage, COMPONENTS, KMEANS, value) is None
    assert difference(stage, COMPONENTS, KMEANS, lambda of: of.final) is not None


def test_the_half_width_is_that_of_seeds_alone(stage):
    found = accuracy(stage, {COMPONENTS: 1, GLOROT: -1})
    quantile = stats.t.ppf(0.975, found.residual.freedom)
    assert found.half_width(6) == pytest.approx(quantile * found.spread / np.sqrt(6))
    assert found.half_width(6) <= found.estimate.interval().half + 1e-9


# --- The same runs in another precision -----------------------------------------------------------


def moved(result, points):
    """The run with so many percentage points more of its test images right."""
    correct = result.correct.copy()
    wrong = np.flatnonzero(~correct)
    correct[wrong[: round(points / 100 * len(correct))]] = True
    settings = replace(result.settings, precision="bf16")
    return replace(result, correct=correct, settings=settings)


@pytest.fixture(scope="module")
def twinned(stage):
    """Seed 0 of components and Glorot in bf16, 2 and 1 points higher."""
    arms = tuple(
        replace(stage.arm(key), results=(moved(stage.arm(key).results[0], points),))
        for key, points in ((COMPONENTS, 2), (GLOROT, 1))
    )
    return beside.twins(stage, Runs(("grid-bf16",), arms, ()))


def test_twins_differ_by_their_rounding(twinned):
    assert sorted(twinned.differences) == pytest.approx([1, 2])
    assert twinned.spread == pytest.approx(np.std([1, 2], ddof=1) / np.sqrt(2))


def test_twins_take_the_place_of_their_runs(stage, twinned):
    pair = {COMPONENTS: 1, GLOROT: -1}
    before, after = accuracy(stage, pair), accuracy(twinned.in_place(), pair)
    change = after.differences - before.differences
    np.testing.assert_allclose(change, [1, 0, 0, 0, 0, 0], atol=1e-9)
    assert accuracy(stage, pair).estimate == before.estimate, "the stage itself stays"


def test_no_twins(stage):
    assert beside.twins(stage, None) is None
    assert beside.twins(Stage(None, STUDIES["grid"], "cifar10"), stage.runs) is None


# --- What runs of one seed have in common ---------------------------------------------------------


def test_an_effect_of_the_seed_is_found(stage):
    def lucky(result):
        return replace(moved(result, 3 * result.settings.seed), settings=result.settings)

    found = beside.seed_effect(with_runs(stage, lucky))
    assert found.p < 1e-6 and found.freedom == (5, 30)
    assert beside.seed_effect(stage).p > 0.01


def test_the_effect_of_the_seed_is_that_of_an_analysis_of_variance(stage):
    """Of arms with equal seeds the textbook's two-way table gives the same."""
    six = [arm for arm in stage.arms if len(arm.seeds) == 6]
    whole = replace(stage, runs=replace(stage.runs, arms=tuple(six)))
    y = np.stack([arm.final for arm in six])
    rest = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
    freedom = (len(six) - 1) * 5
    f = len(six) * y.mean(0).var(ddof=1) / ((rest**2).sum() / freedom)
    found = beside.seed_effect(whole)
    assert (found.f, found.freedom) == (pytest.approx(f), (5, freedom))
    assert found.spread == pytest.approx(np.sqrt(y.var(axis=1, ddof=1).mean()))


def test_no_effect_of_the_seed_from_too_few_runs():
    assert beside.seed_effect(Stage(None, STUDIES["grid"], "cifar10")) is None
