"""Rules of claims 16, 18 and 21, the measures that they need, and where each of them can fail."""

import numpy as np
import pytest
import torch

from benchmarks.argument.components import WORLDS
from companion.argument.components import (
    brightness_shares,
    condition_number,
    cosines_with_constant,
    expected_angles,
    images_suffice,
    judged_for_mean_zero,
    kept_shares,
    largest_angles,
    means_vanish,
    response_correlations,
    spaces_found,
    turned_within,
)
from companion.argument.symmetry import chance_covariance, symmetrized, wave_products
from companion.claims import MIXED
from patchinit.filters import random_orthonormal
from patchinit.filters.baselines import cosines
from patchinit.filters.matching import match, principal_angles


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: f"{world.claim} {world.name}")
def test_rule_finds_the_truth_of_a_made_up_world(world):
    found = [world.decide(torch.Generator().manual_seed(seed)) for seed in range(4)]
    assert not any(map(world.errs, found)) and found.count(world.true) >= 3


def rotation(d, generator):
    return random_orthonormal((d, 1, 1, d), generator=generator).filters.flatten(1).double()


def test_a_full_bank_cannot_be_all_of_mean_zero(generator):
    bank = rotation(9, generator)
    found = cosines_with_constant(bank)
    assert found.square().sum() == pytest.approx(1, abs=1e-6) and found.max() >= 1 / 3
    assert len(judged_for_mean_zero(found, 9)) == 8
    assert not means_vanish(torch.tensor([0.5, 0.0]), 9), "of part of a bank each one is judged"


def test_angles_of_all_leading_spaces_are_the_principal_angles(generator):
    one, other = rotation(7, generator), rotation(7, generator)
    expected = [
        principal_angles(one[:m, None, None], other[:m, None, None])[0] for m in range(1, 7)
    ]
    np.testing.assert_allclose(largest_angles(one, other), expected, atol=1e-4)


def test_expected_angles_are_right_to_first_order_and_fall_as_the_error(generator):
    values = torch.tensor([5.0, 3.0, 1.0, 0.9]).double()
    noise = torch.randn(4, 4, generator=generator).double()
    for size in (1e-3, 1e-4):
        error = size * (noise + noise.T)
        found = torch.linalg.eigh(torch.diag(values) + error)[1].T.flip(0)
        seen = largest_angles(found, torch.eye(4))
        np.testing.assert_allclose(
            expected_angles(torch.eye(4), values, error), seen, rtol=100 * size
        )
        assert seen.argmax() == 2, "behind the smallest gap"
    level = expected_angles(torch.eye(2), torch.ones(2), 0.1 * noise[:2, :2])
    assert level == [90], "without a gap any direction is as good"


def test_variance_kept_is_that_of_the_best_for_the_reference_itself(generator):
    bank = rotation(5, generator)
    matrix = bank.T @ torch.diag(torch.arange(5.0, 0, -1).double()) @ bank
    np.testing.assert_allclose(kept_shares(bank, bank, matrix), 100)
    assert (kept_shares(rotation(5, generator), bank, matrix) < 100).all()


def test_claim_18_is_mixed_where_variance_is_kept_and_spaces_are_not_found():
    angles, kept, same = np.full((4, 3), 2.0), np.full((4, 3), 99.9), np.full(4, 0.99)
    spread = np.linspace(0, 1e-3, 4)
    assert images_suffice(angles + spread[:, None], kept + spread[:, None], same + spread) is True
    angles[:, 1] = [60, 70, 80, 65]
    assert spaces_found(angles) is False
    assert images_suffice(angles, kept, same) == MIXED
    assert images_suffice(angles, kept - 20, same - 0.5) is False
    angles[:, 1] = [1, 2, 1, 40]
    assert images_suffice(angles, kept, same) is None, "one draw of four settles nothing"
    assert images_suffice(angles[:1], kept[:1], same[:1]) is None


def test_whitening_rotations_stay_uncorrelated_and_a_leak_of_brightness_does_not(generator):
    covariance = chance_covariance((1, 3, 3), generator=generator) + 5
    values, vectors = torch.linalg.eigh(covariance)
    white = vectors.T / values.sqrt()[:, None]
    for size in (1, 3, 9):
        bank = turned_within(white, size, generator=generator)
        found = response_correlations(bank, covariance)
        torch.testing.assert_close(found, torch.eye(9).double(), atol=1e-9, rtol=0)
        assert condition_number(found) == pytest.approx(1)
    assert torch.equal(turned_within(white, 1, generator=generator).abs(), white.abs())
    assert condition_number(response_correlations(torch.eye(9), covariance)) > 10
    shares = brightness_shares(torch.cat([torch.ones(1, 9), torch.eye(9)]), covariance)
    assert shares[0] == pytest.approx(1) and (shares[1:] < 1).all() and (shares >= 0).all()


def test_mirrors_and_mean_removal_force_the_waves_of_three_pixels(generator):
    """(1, 0, -1) and (1, -2, 1), whatever the covariance; 3x3 patterns are forced in part."""
    found = symmetrized(chance_covariance((1, 1, 3), generator=generator), (1, 1, 3))
    vectors = torch.linalg.eigh(found)[1].T.reshape(3, 1, 1, 3)
    assert match(vectors, cosines(3).reshape(3, 1, 1, 3), signed=False)[1].min() > 1 - 1e-9

    found = symmetrized(chance_covariance((1, 3, 3), generator=generator), (1, 3, 3))
    vectors = torch.linalg.eigh(found)[1].T
    cross = (vectors @ wave_products(1).flatten(1).T).abs()
    # The corners' saddle, odd both ways, stands alone; so does the constant, which has no variance.
    assert (cross.max(0).values[[0, 4]] > 1 - 1e-9).all()
    assert cross.max(0).values[[2, 6]].max() < 0.999


def test_spot_and_saddle_are_the_bent_waves_turned_by_45_degrees():
    waves, turned = (wave_products(3, spot_and_saddle=s).flatten(1) for s in (False, True))
    torch.testing.assert_close(turned @ turned.T, torch.eye(27).double())
    cross = (waves @ turned.T).abs()
    assert cross[2, 2] == pytest.approx(0.5**0.5) and cross[6, 2] == pytest.approx(0.5**0.5)
    assert (cross.diagonal().sort().values[6:] > 1 - 1e-9).all()
