"""Comparisons with a pooled spread, against a fit of arm plus seed that is worked out apart."""

import math
from dataclasses import replace

import numpy as np
import pytest

from companion.evidence.arms import ArmKey
from companion.evidence.comparisons import COMPONENTS, GLOROT_AT_1, KMEANS, ratio
from companion.evidence.pooled import pooled_ratio, pooled_sum, training_loss
from companion.evidence.results import read_runs
from companion.evidence.stages import Stage
from companion.runs.studies import STUDIES
from tests.evidence import oracle

FROZEN = ArmKey("principal_components", frozen=True)


@pytest.fixture(scope="module")
def on():
    return Stage(read_runs("grid"), STUDIES["grid"], "cifar10")


def by_run(on, value, keep=lambda arm: True):
    return {
        (arm.key.label, result.settings.seed): value(result)
        for arm in on.arms
        if keep(arm)
        for result in arm.results
    }


def test_a_loss_whose_spread_all_runs_tell(on):
    losses = by_run(on, lambda result: result.epochs[-1].train_loss)
    s2, nu = oracle.residual(losses)
    pairs = [
        losses["principal components, never trained", seed] - losses["principal components", seed]
        for seed in range(3)
    ]
    half = oracle.t_quantile(nu) * math.sqrt(2 * s2 / 3)
    found = pooled_sum(on, {FROZEN: 1, COMPONENTS: -1}, training_loss).interval()
    np.testing.assert_allclose(
        [found.estimate, found.low, found.high],
        [np.mean(pairs), np.mean(pairs) - half, np.mean(pairs) + half],
    )


@pytest.mark.parametrize("other", [COMPONENTS, KMEANS])
def test_a_ratio_is_that_of_the_pairs_with_the_spread_of_trained_arms(on, other):
    """Filters that never move have no logarithm of a distance."""
    logs = by_run(
        on,
        lambda result: math.log(oracle_distance(result)),
        keep=lambda arm: not arm.settings.frozen,
    )
    s2, nu = oracle.residual(logs)
    found, plain = pooled_ratio(on, GLOROT_AT_1, other), ratio(on, GLOROT_AT_1, other)
    assert found.value == pytest.approx(plain.value) and (found.n, found.freedom) == (3, nu)
    assert found.error == pytest.approx(math.sqrt(2 * s2 / 3), rel=1e-4)
    assert found.interval().ratio


def oracle_distance(result):
    start, end = (result.filters[i].reshape(27, 27).astype(float) for i in (0, -1))
    cosines = (start * end).sum(1) / np.linalg.norm(start, axis=1) / np.linalg.norm(end, axis=1)
    return np.mean(1 - cosines)


def test_nothing_without_runs_or_a_spread(on):
    nothing = Stage(None, STUDIES["grid"], "cifar10")
    assert pooled_sum(nothing, {FROZEN: 1, COMPONENTS: -1}, training_loss) is None
    assert pooled_ratio(nothing, GLOROT_AT_1, COMPONENTS) is None
    alone = replace(on, spread_seeds=range(1))
    assert pooled_ratio(alone, GLOROT_AT_1, COMPONENTS) is None


def test_a_run_that_diverged_has_the_last_loss_that_was_finite(on):
    arm = on.arm(COMPONENTS).among([0])
    epochs = [*arm.results[0].epochs[:4], replace(arm.results[0].epochs[4], train_loss=math.nan)]
    broken = replace(arm, results=(replace(arm.results[0], epochs=epochs),))
    assert training_loss(broken) == [epochs[3].train_loss]
