"""Kinds of outliers, and what they take from a clustering beyond its own variation."""

import pytest
import torch

from companion.argument.outliers import OUTLIERS, disturbed, robust_holds, with_outliers
from companion.intervals import Interval
from patchinit.patches import standardize_patches

SHAPE = (50, 3, 3, 3)


@pytest.mark.parametrize("kind", OUTLIERS)
def test_outliers_are_patches_with_a_pattern(kind):
    made = OUTLIERS[kind](SHAPE, generator=torch.Generator().manual_seed(0))
    again = OUTLIERS[kind](SHAPE, generator=torch.Generator().manual_seed(0))
    assert made.shape == SHAPE and torch.equal(made, again)
    assert standardize_patches(made).patches.shape == SHAPE, "none is constant"


def test_kinds_differ_in_where_they_lie():
    """The mean cosine of two outliers: of noise near 0, of checkerboards near 1."""
    alike = {}
    for kind, make in OUTLIERS.items():
        rows = standardize_patches(make(SHAPE, generator=torch.Generator().manual_seed(1))).patches
        rows = rows.flatten(1) / 27**0.5
        alike[kind] = (rows @ rows.T).abs().mean().item()
    assert alike["noise"] < alike["grey noise"] < alike["checkerboards"]
    assert alike["checkerboards"] > 0.99


def test_the_first_share_is_replaced():
    clean, outliers = torch.zeros(10, 1, 3, 3), torch.ones(10, 1, 3, 3)
    assert with_outliers(clean, outliers, 0.3).flatten(1)[:, 0].tolist() == [1] * 3 + [0] * 7
    assert torch.equal(with_outliers(clean, outliers, 0), clean)


def test_a_clustering_that_does_not_vary_loses_what_its_filters_lose():
    clean = torch.rand(30, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    banks = {len(clean): torch.eye(9)[:2].reshape(2, 1, 3, 3)}
    banks[20] = torch.eye(9)[1:3].reshape(2, 1, 3, 3)
    found = disturbed(lambda patches: banks[len(patches)], clean, {"half": clean[:20]})
    assert found[""][0] == pytest.approx(1) and found["half"][0] == pytest.approx(0.5)
    assert 0 < found[""][1] < 1


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.01, 0.05, True), (0.001, 0.01, True), (-0.05, 0.01, False), (-0.05, 0.05, None)],
)
def test_claim_22(low, high, outcome):
    assert robust_holds(Interval((low + high) / 2, low, high, 20)) is outcome
