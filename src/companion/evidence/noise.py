"""How far an isotropic walk turns a filter: steps that favour no direction, and know nothing."""

from __future__ import annotations

import numpy as np
from scipy import stats


def noise_distance(
    norm: float,
    squared_rates: float | np.ndarray,
    n_weights: int,
    *,
    optimizer: str = "adam",
    gradient_noise: float = 1.0,
) -> float | np.ndarray:
    """Expected cosine distance of a filter after an isotropic walk: noise alike in all directions.

    Behind batch normalisation the loss does not depend on a filter's norm, so its gradient is
    at right angles to it, and each random step turns it and makes it longer. Under Adam every
    coordinate's steps add up as if each had the size of the learning rate. With d weights the
    squared norm grows by d lr^2 a step; d - 1 of the coordinates turn the filter, so that the
    cosine's expectation falls by the share (d - 1) lr^2 / (2 norm^2):

        distance = 1 - (1 + d sum(lr^2) / norm^2)^(-(d - 1) / 2d).

    Under SGD the step is the gradient, which has d - 1 coordinates at right angles to the filter
    and falls with the norm, as s / norm in each of them; with momentum m, lr is rate / (1 - m):

        distance = 1 - (1 + 2 (d - 1) s^2 sum(lr^2) / norm^4)^(-1/4).

    Gradients of redrawn labels move filters far less than that: their noise is in few directions.

    References
    ----------
    The step behind normalisation: van Laarhoven (2017), "L2 regularization versus batch and weight
    normalization". `tests/evidence/test_noise.py` holds both formulas against simulated noise.
    """
    if not norm > 0 or n_weights < 2:
        raise ValueError(f"norm={norm} should be > 0 and n_weights={n_weights} at least 2")
    if optimizer == "adam":
        turning = (n_weights - 1) / n_weights
        return 1 - (1 + n_weights * squared_rates / norm**2) ** (-turning / 2)
    if optimizer == "sgd":
        growth = 2 * (n_weights - 1) * gradient_noise**2 * squared_rates / norm**4
        return 1 - (1 + growth) ** -0.25
    raise ValueError(f"optimizer={optimizer!r} should be 'adam' or 'sgd'")


def noise_quantile(
    norm: float, squared_rates: float | np.ndarray, n_weights: int, share: float
) -> float | np.ndarray:
    """Distance that a share of filters stays below after an isotropic walk under Adam.

    For a diffusion on the sphere in d dimensions both moments of the cosine are known:
    E cos = g^(-(d-1)/2d) and E cos^2 = 1/d + (1 - 1/d) / g, with g = 1 + d sum(lr^2) / norm^2.
    The distance is taken to have a gamma distribution with these moments: exact (a chi-squared) for
    small angles.
    """
    rest = 1 - 1 / n_weights
    growth = np.log1p(n_weights * np.asarray(squared_rates, dtype=float) / norm**2)
    mean = -np.expm1(-rest * growth / 2)
    # Without the loss of digits that 1 - ... brings.
    variance = rest * np.expm1(-growth) - np.expm1(-rest * growth)
    moved = mean > 0
    mean, variance = np.where(moved, mean, 1.0), np.where(moved, np.maximum(variance, 1e-300), 1.0)
    return np.where(moved, stats.gamma.ppf(share, mean**2 / variance, scale=variance / mean), 0.0)
