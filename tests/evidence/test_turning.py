"""Turns and responses against closed forms, and the order of components beside noise."""

import math

import numpy as np
import torch
from scipy import stats

from companion.evidence.arms import ArmKey
from companion.evidence.comparisons import COMPONENTS, KMEANS, beside_noise, turned_by_noise
from companion.evidence.results import read_runs
from companion.evidence.stages import stage_by_letter
from companion.evidence.turning import correlation_after_turn, order_beside_noise
from tests.synthetic import write_study


def test_in_the_plane_a_turn_has_two_directions_and_a_closed_form(generator):
    """w = (cos a, +-sin a) over diag(s, 1): both signs give the same correlation."""
    s, angle = 9.0, math.radians(5)
    found = correlation_after_turn(
        3 * torch.eye(2).reshape(2, 1, 1, 2),
        torch.diag(torch.tensor([s, 1.0])),
        5.0,
        generator=generator,
    )
    c, t = math.cos(angle), math.sin(angle)
    strong, weak = c * s / math.sqrt(s * (c * c * s + t * t)), c / math.sqrt(c * c + t * t * s)
    np.testing.assert_allclose(found, [strong, weak], rtol=1e-10)
    assert strong > weak, "a turn undoes the direction along which patches vary less"


def test_the_length_of_a_filter_and_the_scale_of_the_patches_do_not_count():
    filters = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    covariance = torch.cov(torch.randn(27, 300, generator=torch.Generator().manual_seed(2)))
    one, two = (
        correlation_after_turn(
            k * filters, k * covariance, 20.0, generator=torch.Generator().manual_seed(3)
        )
        for k in (1, 7)
    )
    torch.testing.assert_close(one, two, rtol=1e-6, atol=0)
    assert (one < 1).all() and one.shape == (4,)


def test_the_order_beside_noise_is_spearmans_after_the_same_epochs(tmp_path):
    """Labels that mean something turn the last components further; redrawn ones the first."""
    for name, sign in (("grid", 1), ("null", -1)):
        write_study(
            tmp_path, name, distance=lambda dataset, arm, index, s=sign: 0.3 + 0.2 * s * index
        )
    runs = {name: read_runs(name, folder=tmp_path / "results") for name in ("grid", "null")}
    null, trained = (stage_by_letter(letter, runs, "cifar10") for letter in "CB")
    np.testing.assert_allclose(order_beside_noise(null, trained), [(-1, 1)] * 2)
    pairs = beside_noise(null, trained, COMPONENTS)
    result = trained.arm(COMPONENTS).run(0)
    np.testing.assert_array_equal(pairs[0][1], result.distances[null.epochs])
    wanted = stats.spearmanr(pairs[0][0][:-1], range(26)).statistic
    assert order_beside_noise(null, trained, with_last=False)[0][0] == wanted
    expected = [informed.mean() / noise.mean() for noise, informed in pairs]
    np.testing.assert_allclose(turned_by_noise(null, trained, COMPONENTS), expected)
    assert order_beside_noise(null, trained, KMEANS) == [], "no such arm in the null"
    assert order_beside_noise(null, stage_by_letter("B", {}, "cifar10")) == []
    assert order_beside_noise(null, trained, ArmKey("random_orthonormal")), "any arm will do"
