"""All specifications of an effect: each once, and as computed another way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from companion.evidence.arms import Arm
from companion.evidence.comparisons import (
    COMPONENTS,
    GLOROT,
    accuracy,
    epochs_saved,
    order,
    ratio,
    response,
    speed,
)
from companion.evidence.results import read_runs
from companion.evidence.specifications import (
    FINAL,
    TURNING,
    Specification,
    accuracy_specifications,
    order_specifications,
    reach,
    saving_specifications,
    speed_specifications,
    turning_specifications,
)
from companion.evidence.stages import Stage
from companion.intervals import Interval, geometric_interval, mean_interval
from companion.runs.studies import STUDIES
from tests.evidence import oracle
from tests.synthetic import write_study

BOTH = replace(
    STUDIES["paper-small"], arms=STUDIES["paper-small"].arms | STUDIES["norms-small"].arms
)


@pytest.fixture(scope="module")
def on():
    """The reduced runs on CIFAR-10, with those at other norms."""
    return Stage(read_runs("paper-small", "norms-small"), BOTH, "cifar10")


@pytest.fixture(scope="module")
def patches():
    """Patches of unequal variance along mixed directions, (5000, 27)."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((5_000, 27)) * np.geomspace(10, 0.1, 27) @ rng.random((27, 27))


@pytest.fixture(scope="module")
def covariance(patches):
    return torch.from_numpy(np.cov(patches.T))


def one(rows, **choices):
    """The row of these choices."""
    (found,) = [row for row in rows if row.choices.items() >= choices.items()]
    return found


def alike(interval, estimate):
    wanted = estimate.interval()
    np.testing.assert_allclose(
        [interval.estimate, interval.low, interval.high],
        [wanted.estimate, wanted.low, wanted.high],
    )


def test_every_combination_of_choices_once(on, covariance):
    for rows, n in (
        (turning_specifications(on, covariance), 3 * 2 * 3 * 2),
        (order_specifications(on, covariance), 2 * 2),
        (saving_specifications(on), 3),
        (accuracy_specifications(on), 3 * 2),
    ):
        assert len({tuple(row.choices.items()) for row in rows}) == len(rows) == n
        assert all(np.isfinite([row.interval.low, row.interval.high]).all() for row in rows)


def test_registered_ones_are_what_the_rules_look_at(on, covariance):
    registered = [row for row in turning_specifications(on, covariance) if row.registered]
    assert [row.choices["pair"] for row in registered] == list(TURNING)
    for row, pair in zip(registered, TURNING.values(), strict=True):
        alike(row.interval, ratio(on, *pair))
    registered = [row for row in accuracy_specifications(on) if row.registered]
    assert [row.choices["arm"] for row in registered] == list(FINAL)
    for row, weights in zip(registered, FINAL.values(), strict=True):
        alike(row.interval, accuracy(on, weights).estimate)
    registered = [row for row in order_specifications(on, covariance) if row.registered]
    for row, with_last in zip(registered, (True, False), strict=True):
        alike(row.interval, order(on, with_last=with_last))
    (row,) = [row for row in speed_specifications(on) if row.registered]
    alike(row.interval, speed(on))
    (row,) = [row for row in saving_specifications(on) if row.registered]
    alike(row.interval, epochs_saved(on).estimate)


def test_response_is_what_the_filters_answer_to_the_patches(on, patches, covariance):
    rows = turning_specifications(on, covariance)
    medians = []
    for arm in on.paired(GLOROT, COMPONENTS):
        for result in arm.results:
            answers = [patches @ result.filters[i].reshape(27, 27).T for i in (0, -1)]
            distances = [
                1 - np.corrcoef(*pair)[0, 1] for pair in zip(*(a.T for a in answers), strict=True)
            ]
            medians.append(np.median(distances[:-1]))
    wanted = geometric_interval(np.divide(medians[:3], medians[3:]))
    row = one(
        rows,
        distance="response",
        pair="Glorot",
        filters="without the last",
        **{"over filters": "median"},
    )
    np.testing.assert_allclose(
        [row.interval.estimate, row.interval.low, row.interval.high],
        [wanted.estimate, wanted.low, wanted.high],
        rtol=1e-6,
    )
    assert not row.registered


def test_response_of_a_run_that_diverged_is_that_of_its_last_finite_filters(on, covariance):
    arm = on.paired(COMPONENTS)[0]
    filters = arm.results[0].filters.copy()
    filters[-1, 3] = np.nan
    broken = Arm(arm.key, arm.dataset, (replace(arm.results[0], filters=filters),))
    cut = Arm(arm.key, arm.dataset, (replace(arm.results[0], filters=filters[:-1]),))
    np.testing.assert_array_equal(response(covariance)(broken), response(covariance)(cut))


def test_mean_of_the_last_ten_epochs(on):
    row = one(accuracy_specifications(on), arm="components", epochs="mean of last ten")
    late = {
        (arm.key.label, seed): float(course[-10:].mean())
        for arm in on.runs.arms
        if arm.dataset == "cifar10"
        for seed, course in zip(arm.seeds, arm.accuracy, strict=True)
    }
    ours, theirs = ([late[of.label, seed] for seed in range(3)] for of in (COMPONENTS, GLOROT))
    s2, nu = oracle.residual(late)
    half = oracle.t_quantile(nu) * (2 * s2 / 3) ** 0.5
    difference = np.mean(ours) - np.mean(theirs)
    np.testing.assert_allclose(
        [row.interval.low, row.interval.high], [difference - half, difference + half]
    )
    assert not row.registered


def test_horizons_are_cut_at_the_end_of_the_runs(tmp_path, on):
    write_study(tmp_path, "anchor", seeds=range(2))
    runs = read_runs("anchor", folder=tmp_path / "results")
    full = Stage(runs, STUDIES["anchor"], "fashion_mnist")
    for stage, wanted in (
        (full, {"10 epochs": False, "50 epochs": True, "all epochs": False}),
        (on, {"10 epochs": False, "all epochs": True}),
    ):
        assert {
            row.choices["horizon"]: row.registered for row in speed_specifications(stage)
        } == wanted


def test_what_has_no_runs_is_left_out(covariance):
    alone = Stage(read_runs("paper-small"), STUDIES["paper-small"], "cifar10")
    assert {row.choices["pair"] for row in turning_specifications(alone, covariance)} == {
        "Glorot", "random rotation",
    }  # fmt: skip
    nothing = Stage(None, STUDIES["paper-small"], "cifar10")
    for rows in (
        turning_specifications(nothing, covariance),
        order_specifications(nothing, covariance),
        accuracy_specifications(nothing),
    ):
        assert rows == []
    assert speed_specifications(nothing) == saving_specifications(nothing) == []


def test_reach_counts_sides():
    intervals = [Interval(*e, 3) for e in ((0.5, 0.3, 0.8), (0.9, 0.5, 2), (2, 0.7, 6), (4, 2, 8))]
    found = reach([Specification({}, i, registered=False) for i in intervals], unchanged=1)
    assert (found.n, found.above, found.told_above, found.told_below) == (4, 2, 1, 1)
    assert (found.least, found.most) == (0.5, 4)
    equal = mean_interval([-1, -1, -1])  # epochs saved, the same in every pair: no spread
    found = reach([Specification({}, equal, registered=False)])
    assert (found.above, found.told_above, found.told_below, found.least) == (0, 0, 0, -1)
    with pytest.raises(ValueError, match="at least one specification"):
        reach([])
