"""Norm and distance, against closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest

from companion.evidence.norms import norm_share, norm_slope, over_walk


def planted(method, norms, turned):
    """Stands for an arm with a run for each norm; its filters are alike."""
    norms, turned = np.asarray(norms, dtype=float), np.asarray(turned, dtype=float)
    return SimpleNamespace(
        norms=np.tile(norms[:, None, None], (1, 2, 3)), turned=turned, results=[None] * len(norms),
        settings=SimpleNamespace(method=method),
    )  # fmt: skip


def test_slope_of_a_power_of_the_norm():
    norms = np.array([0.25, 0.5, 1, 2])
    arms = [planted("kmeans", norms[:2], norms[:2] ** -2), planted("kmeans", [1, 2], [1, 1 / 4])]
    assert norm_slope(arms) == pytest.approx(-2)


def test_norms_that_hardly_differ_have_no_slope():
    """Less than a factor of exp(0.5) apart."""
    assert norm_slope([planted("kmeans", [1, 1.6], [1, 2])]) is None
    assert norm_slope([planted("kmeans", [1, 1.7], [1, 1.7])]) == pytest.approx(1)
    assert norm_slope([]) is None


def test_share_that_the_norm_explains():
    """A parabola in the log of the norm explains itself, and half of the variance beside a level.

    The levels of two methods with equal norms are at right angles to the norm's part.
    """
    norms = np.exp([-1.0, 0.0, 1.0])
    parabola = 3 * np.log(norms) ** 2 - np.log(norms)
    assert norm_share([planted("kmeans", norms, np.exp(parabola))]) == pytest.approx(1)
    straight = np.log(norms) / np.log(norms).std()  # of variance 1, and the levels' is 1 too
    arms = [
        planted(method, norms, np.exp(straight + level))
        for method, level in (("kmeans", 1), ("random_patches", -1))
    ]
    assert norm_share(arms) == pytest.approx(0.5)
    assert norm_share(arms, by_method=True) == pytest.approx(1)


def test_distance_over_the_null():
    """The geometric mean over seeds of 1 and 4 times the isotropic walk."""
    arm = SimpleNamespace(
        final_distances=np.array([[0.05, 0.15], [0.4, 0.4]]),
        noise=lambda: np.array([0.0, 0.05, 0.1]),
    )
    assert over_walk(arm).estimate == pytest.approx(2) and over_walk(arm).n == 2
