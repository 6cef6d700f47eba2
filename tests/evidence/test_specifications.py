"""All specifications of an effect: each once, and as computed another way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from companion.evidence.arms import Arm, ArmKey
from companion.evidence.comparisons import (
    COMPONENTS,
    GLOROT,
    accuracy,
    order,
    ratio,
    response,
)
from companion.evidence.results import read_runs
from companion.evidence.specifications import (
    FREEZING,
    TURNING,
    Specification,
    accuracy_specifications,
    is_judged,
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


@pytest.fixture(scope="module")
def on():
    """The book's own stage B on CIFAR-10, which is complete."""
    return Stage(read_runs("grid"), STUDIES["grid"], "cifar10")


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
        *((turning_specifications(on, covariance, of), 2 * 3 * 2) for of in TURNING.values()),
        (order_specifications(on, covariance), 2 * 2),
        (speed_specifications(on), 2),
        (saving_specifications(on), 3),
        *((accuracy_specifications(on, weights), 2) for weights in FREEZING.values()),
    ):
        assert len({tuple(row.choices.items()) for row in rows}) == len(rows) == n
        assert all(np.isfinite([row.interval.low, row.interval.high]).all() for row in rows)


def test_registered_ones_are_what_the_rules_look_at(on, covariance):
    for of in TURNING.values():
        (row,) = [row for row in turning_specifications(on, covariance, of) if row.registered]
        alike(row.interval, ratio(on, of.one, of.other))
    for weights in FREEZING.values():
        (row,) = [row for row in accuracy_specifications(on, weights) if row.registered]
        alike(row.interval, accuracy(on, weights).estimate)
    registered = [row for row in order_specifications(on, covariance) if row.registered]
    for row, with_last in zip(registered, (True, False), strict=True):
        alike(row.interval, order(on, with_last=with_last))


def test_what_a_stage_does_not_judge_is_not_registered(on, covariance):
    """Claims 6 and 30 are judged in stages A and D; by reduced runs nothing is."""
    assert [is_judged(on, claim) for claim in ("6", "7a", "7b", "9", "30")] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert not any(
        row.registered for row in (*speed_specifications(on), *saving_specifications(on))
    )
    reduced = Stage(read_runs("paper-small"), STUDIES["paper-small"], "cifar10")
    rows = turning_specifications(reduced, covariance, TURNING["Glorot / components"])
    assert rows and not any(row.registered for row in rows)
    (row,) = [row for row in speed_specifications(full_length()) if row.registered]
    assert row.choices == {"horizon": "50 epochs"}
    (row,) = [row for row in saving_specifications(full_length()) if row.registered]
    assert row.choices == {"threshold": "0.9 of the end"}


def full_length():
    return Stage(read_runs("anchor"), STUDIES["anchor"], "fashion_mnist")


def test_response_is_what_the_filters_answer_to_the_patches(on, patches, covariance):
    rows = turning_specifications(on, covariance, TURNING["Glorot / components"])
    medians = []
    for arm in on.paired(GLOROT, COMPONENTS):
        for result in arm.results:
            answers = [patches @ result.filters[i].reshape(27, 27).T for i in (0, -1)]
            distances = [
                1 - np.corrcoef(*pair)[0, 1] for pair in zip(*(a.T for a in answers), strict=True)
            ]
            medians.append(np.median(distances[:-1]))
    wanted = geometric_interval(np.divide(medians[:6], medians[6:]))
    row = one(rows, distance="response", filters="without the last", **{"over filters": "median"})
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
    frozen = {COMPONENTS: -1, ArmKey("principal_components", frozen=True): 1}
    row = one(accuracy_specifications(on, frozen), epochs="mean of last ten")
    late = {
        (arm.key.label, seed): float(course[-10:].mean())
        for arm in on.runs.arms
        if arm.dataset == "cifar10"
        for seed, course in zip(arm.seeds, arm.accuracy, strict=True)
    }
    ours, theirs = (
        [late[f"principal components{rest}", seed] for seed in range(3)]
        for rest in (", never trained", "")
    )
    s2, nu = oracle.residual(late)
    half = oracle.t_quantile(nu) * (2 * s2 / 3) ** 0.5
    difference = np.mean(ours) - np.mean(theirs)
    np.testing.assert_allclose(
        [row.interval.low, row.interval.high], [difference - half, difference + half]
    )
    assert not row.registered


def test_horizons_are_cut_at_the_end_of_the_runs(on):
    for stage, wanted in (
        (full_length(), ["10 epochs", "50 epochs", "all epochs"]),
        (on, ["10 epochs", "all epochs"]),
    ):
        assert [row.choices["horizon"] for row in speed_specifications(stage)] == wanted


def test_what_has_no_runs_is_left_out(covariance):
    nothing = Stage(None, STUDIES["grid"], "cifar10")
    for rows in (
        *(turning_specifications(nothing, covariance, of) for of in TURNING.values()),
        order_specifications(nothing, covariance),
        *(accuracy_specifications(nothing, weights) for weights in FREEZING.values()),
        speed_specifications(nothing),
        saving_specifications(nothing),
    ):
        assert rows == []


def test_reach_counts_sides():
    intervals = [Interval(*e, 3) for e in ((0.5, 0.3, 0.8), (0.9, 0.5, 2), (2, 0.7, 6), (4, 2, 8))]
    found = reach([Specification({}, i, registered=False) for i in intervals], unchanged=1)
    assert (found.n, found.above, found.wholly_above, found.wholly_below) == (4, 2, 1, 1)
    assert (found.least, found.most) == (0.5, 4)
    equal = mean_interval([-1, -1, -1])  # epochs saved, the same in every pair: no spread
    found = reach([Specification({}, equal, registered=False)])
    assert (found.above, found.wholly_above, found.wholly_below, found.least) == (0, 0, 0, -1)
    with pytest.raises(ValueError, match="at least one specification"):
        reach([])
