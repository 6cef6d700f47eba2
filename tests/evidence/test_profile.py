"""Energy profiles and cosine waves of a bank, against closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from companion.evidence.profile import apart, energy_profile, mean_terms
from patchinit.filters import principal_components, random_orthonormal
from patchinit.moments import patch_moments


def test_a_complete_orthonormal_bank_is_flat(generator):
    bank = random_orthonormal((27, 3, 3, 3), generator=generator).filters
    covariance = torch.cov(torch.randn(27, 500, generator=generator))
    torch.testing.assert_close(energy_profile(bank, covariance), torch.full((27,), 1 / 27).double())


def test_the_leading_components_have_all_energy_at_the_front(images):
    moments = patch_moments(images, 3, standardize=False)
    _, axes = torch.linalg.eigh(moments.covariance)
    leading = axes.flip(1).T[:4].reshape(4, 3, 3, 3)
    profile = energy_profile(5 * leading, moments.covariance)
    torch.testing.assert_close(profile, torch.tensor([0.25] * 4 + [0.0] * 23).double())


def test_the_norm_of_a_filter_does_not_count(images, generator):
    moments = patch_moments(images, 3, standardize=False)
    bank = torch.randn(8, 3, 3, 3, generator=generator)
    longer = bank * torch.arange(1.0, 9.0).reshape(8, 1, 1, 1)
    torch.testing.assert_close(
        energy_profile(bank, moments.covariance), energy_profile(longer, moments.covariance)
    )


def test_components_of_standardised_patches_are_flat_too(images):
    """A rotation: all that components discard is their order."""
    bank = principal_components(patch_moments(images, 3), 27)
    covariance = patch_moments(images, 3, standardize=False).covariance
    profile = energy_profile(bank.filters, covariance)
    torch.testing.assert_close(profile, torch.full((27,), 1 / 27).double(), atol=1e-6, rtol=0)


def test_shapes_that_disagree_are_named():
    with pytest.raises(ValueError, match="filters of 27 weights need a square"):
        energy_profile(torch.ones(2, 3, 3, 3), torch.eye(9))


def test_apart():
    one, other = np.array([1.0, 0, 0]), np.array([0, 0.5, 0.5])
    assert apart([one, one]) == 0 and apart([one, other]) == 1
    assert apart([one, one, other]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="at least 2"):
        apart([one])


def test_terms_of_banks_of_known_waves():
    """A constant filter is one wave; the sum of two equally strong ones, in one channel, is two."""
    cosines = np.cos(np.pi * (np.arange(3) + 0.5) * np.arange(3)[:, None] / 3)  # (frequency, x)
    cosines /= np.linalg.norm(cosines, axis=1, keepdims=True)
    one, two = (np.einsum("i,j->ij", a, b) for a, b in ((cosines[0], cosines[0]),
                                                       (cosines[1], cosines[2])))  # fmt: skip
    alone, sum_of_two = one[None, None], (one + two)[None, None]  # (F, C, kh, kw) of F = C = 1
    banks = [np.stack([alone, sum_of_two]), np.stack([alone, alone])]  # start and end of two seeds
    arm = SimpleNamespace(
        results=[SimpleNamespace(filters=bank.astype(np.float32)) for bank in banks]
    )
    assert mean_terms(arm, 0) == pytest.approx([1, 1])
    assert mean_terms(arm, -1) == pytest.approx([2, 1], rel=1e-5)
