"""How far gradients without information turn a filter: formulas against steps that are taken."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chi2

from companion.evidence.noise import noise_distance, noise_quantile
from patchinit.filters import cosine_distance


def moved_by_noise(optimizer, norm, rates, generator, *, noise=1.0, **options):
    """Cosine distances of 400 filters of 27 weights after steps of gradients without information.

    The gradient is that of a loss behind normalisation: at right angles to the filter, and smaller
    the longer the filter is.
    """
    weight = torch.nn.Parameter(
        F.normalize(torch.randn(400, 27, generator=generator), dim=1) * norm
    )
    start = weight.detach().clone()
    stepper = optimizer([weight], lr=rates[0], **options)
    for rate in rates:
        stepper.param_groups[0]["lr"] = rate
        length = weight.detach().norm(dim=1, keepdim=True)
        gradient = noise * torch.randn(400, 27, generator=generator) / length
        along = (gradient * weight.detach()).sum(1, keepdim=True) / length**2
        weight.grad = gradient - along * weight.detach()
        stepper.step()
    return cosine_distance(start.reshape(400, 3, 3, 3), weight.detach().reshape(400, 3, 3, 3))


@pytest.mark.parametrize("norm", [0.45, 1.0, 3.0])
def test_null_is_what_noise_does_under_adam(norm, generator):
    rates = [2e-3] * 2_500 + [2e-4] * 500  # the paper's schedule, shorter
    seen = moved_by_noise(torch.optim.Adam, norm, rates, generator)
    squared = sum(rate**2 for rate in rates)
    assert noise_distance(norm, squared, 27) == pytest.approx(seen.mean().item(), rel=0.1)
    low, high = (noise_quantile(norm, squared, 27, share) for share in (0.025, 0.975))
    assert 0.9 < np.mean((low < seen.numpy()) & (seen.numpy() < high)) < 0.99


@pytest.mark.parametrize("norm", [0.45, 1.0, 3.0])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_null_is_what_noise_does_under_sgd(norm, momentum, generator):
    rates = [0.02 * (1 - momentum)] * 600
    seen = (
        moved_by_noise(torch.optim.SGD, norm, rates, generator, noise=0.5, momentum=momentum)
        .mean()
        .item()
    )
    squared = sum((rate / (1 - momentum)) ** 2 for rate in rates)
    expected = noise_distance(norm, squared, 27, optimizer="sgd", gradient_noise=0.5)
    assert expected == pytest.approx(seen, rel=0.15)


def test_quantiles_of_the_null_are_chi_squared_for_small_angles():
    """|noise|^2 / 2 across the 26 directions at right angles to the filter, 0 before any step."""
    low = noise_quantile(2.0, np.array([0.0, 1e-8]), 27, 0.1)
    assert low[0] == 0 and low[1] == pytest.approx(chi2.ppf(0.1, 26) * 1e-8 / 2**2 / 2, rel=1e-3)


def test_null_grows_with_steps_and_falls_with_the_norm():
    steps = np.array([0.0, 1e-3, 1e-2, 1e6])
    for optimizer in ("adam", "sgd"):
        course = noise_distance(1.0, steps, 27, optimizer=optimizer)
        assert course[0] == 0 and (np.diff(course) > 0).all() and 0.9 < course[-1] < 1
        small = noise_distance(1.0, 1e-6, 27, optimizer=optimizer) / noise_distance(
            2.0, 1e-6, 27, optimizer=optimizer
        )
        assert small == pytest.approx({"adam": 4, "sgd": 16}[optimizer], rel=1e-3)
    with pytest.raises(ValueError, match="norm=0"):
        noise_distance(0, 1e-3, 27)
    with pytest.raises(ValueError, match="optimizer='rmsprop'"):
        noise_distance(1, 1e-3, 27, optimizer="rmsprop")
