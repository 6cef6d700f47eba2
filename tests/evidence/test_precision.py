"""The check of bfloat16 finds a planted bias, and finds none where there is none."""

import numpy as np
import pytest

from companion.evidence.precision import compare_precisions


class Planted:
    """Stands for an arm: accuracies in percent (S,) and distances (S, 27)."""

    def __init__(self, final, distances):
        self.final, self.final_distances = final, distances


def pair(n, rng, *, accuracy=0.0, ratio=1.0, last=1.0, spread=0.2):
    """(bf16, fp32) of n seeds."""
    level = 0.01 * np.exp(0.1 * rng.standard_normal((n, 27)))
    base = 60 + rng.standard_normal(n)
    turned = level * ratio * np.exp(spread * rng.standard_normal((n, 1)))
    turned[:, -1] *= last
    return Planted(base + accuracy + 0.1 * rng.standard_normal(n), turned), Planted(base, level)


def alarms(seed, **bias):
    rng = np.random.default_rng(seed)
    return [
        check.what
        for check in compare_precisions(pair(12, rng, **bias), pair(6, rng))
        if check.harmful
    ]


def test_no_bias_is_seldom_an_alarm():
    assert np.mean([bool(alarms(seed)) for seed in range(100)]) < 0.1


@pytest.mark.parametrize("bias, named", [
    ({"accuracy": 1.0}, "accuracy, components minus Glorot"),
    ({"ratio": 2.0}, "mean distance, components"),
    ({"ratio": 2.0}, "mean distance, the weakest five before the last"),
    ({"last": 3.0}, "distance of the last filter"),
])  # fmt: skip
def test_a_planted_bias_is_named(bias, named):
    assert np.mean([named in alarms(seed, **bias) for seed in range(20)]) > 0.9


def test_a_tiny_bias_is_no_alarm_however_sure():
    """0.05 pp told from zero beyond doubt carries no verdict."""
    rng = np.random.default_rng(0)
    components, glorot = pair(12, rng, spread=0.01), pair(6, rng, spread=0.01)
    for two, bias in ((components, 0.05), (glorot, 0.0)):
        two[0].final = two[1].final + bias + 0.001 * rng.standard_normal(len(two[1].final))
    check = compare_precisions(components, glorot)[2]
    assert (
        check.p < 0.01
        and not check.harmful
        and check.interval.estimate == pytest.approx(0.05, abs=0.01)
    )
