"""How far noise alone turns a filter: the null without information."""

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
    """Expected cosine distance of a filter that only noise has moved: the null without information.

    Behind batch normalisation the loss does not depend on a filter's norm, so its gradient is
    at right angles to it, and each random step turns it and makes it longer. Under Adam every
    coordinate's steps add up as if each had the size of the learning rate. With d weights the
    squared norm grows by d lr^2 a step; d - 1 of the coordinates turn the filter, so that the
    cosine's expectation falls by the share (d - 1) lr^2 / (2 norm^2):

        distance = 1 - (1 + d sum(lr^2) / norm^2)^(-(d - 1) / 2d).

    Under SGD the step is the gradient, which has d - 1 coordinates at right angles to the filter
    and falls with the norm, as s / norm in each of them:

        distance = 1 - (1 + 2 (d - 1) s^2 sum(lr^2) / norm^4)^(-1/4).

    Parameters
    ----------
    norm : float
        Of the filter at the start, > 0.
    squared_rates : float or array
        Sum over all steps of the squared learning rate; for SGD with momentum m, of
        (rate / (1 - m))^2.
    n_weights : int
        d, weights of the filter, >= 2.
    optimizer : str
        "adam" or "sgd".
    gradient_noise : float
        s, standard deviation of the gradient in each coordinate at norm 1; of SGD only.

    Returns
    -------
    float or array
        0 to 1.

    References
    ----------
    The step behind normalisation: van Laarhoven (2017), "L2 regularization versus batch and weight
    normalization". `tests/patchinit/test_measures.py` holds both formulas against simulated noise.

    Examples
    --------
    >>> [round(noise_distance(norm, 0.01, 27), 3) for norm in (0.5, 1, 2)]
    [0.297, 0.109, 0.031]
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
    """Distance that a share of filters stays below which only noise under Adam has moved.

    For a diffusion on the sphere in d dimensions both moments of the cosine are known:
    E cos = g^(-(d-1)/2d) and E cos^2 = 1/d + (1 - 1/d) / g, with g = 1 + d sum(lr^2) / norm^2.
    The distance is taken to have a gamma distribution with these moments: exact (a chi-squared) for
    small angles. Parameters as for `noise_distance`; `share` from 0 to 1.

    Examples
    --------
    >>> [round(float(noise_quantile(1, 0.001, 27, share)), 4) for share in (0.025, 0.975)]
    [0.0068, 0.0205]
    """
    rest = 1 - 1 / n_weights
    growth = np.log1p(n_weights * np.asarray(squared_rates, dtype=float) / norm**2)
    mean = -np.expm1(-rest * growth / 2)
    # Without the loss of digits that 1 - ... brings.
    variance = rest * np.expm1(-growth) - np.expm1(-rest * growth)
    moved = mean > 0
    mean, variance = np.where(moved, mean, 1.0), np.where(moved, np.maximum(variance, 1e-300), 1.0)
    return np.where(moved, stats.gamma.ppf(share, mean**2 / variance, scale=variance / mean), 0.0)
