"""Measures of filters and of how they change."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats
from scipy.fft import dctn
from scipy.linalg import subspace_angles
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Signed cosine of the angle between filters of two banks, pair by pair.

    Parameters
    ----------
    a, b : Tensor of shape (F, C, kh, kw)
        Broadcast against each other along the first axis.

    Returns
    -------
    Tensor of shape (F,)
        From -1 to 1; NaN where a filter is zero, for it has no direction.
    """
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"a has filters of shape {tuple(a.shape[1:])}, b of {tuple(b.shape[1:])}; "
            "they should agree"
        )
    a, b = a.flatten(1).double(), b.flatten(1).double()
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).clamp(-1, 1)


def cosine_distance(before: Tensor, after: Tensor) -> Tensor:
    """1 - cosine similarity, signed, pair by pair: 0 unchanged, 1 orthogonal, 2 reversed.

    The paper's measure of how far a filter moved in training (section 4.4). Shapes as for
    `cosine_similarity`.
    """
    return 1 - cosine_similarity(before, after)


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
    at right angles to it, and each random step turns it and makes it longer. Under Adam a
    coordinate's step has the size of the learning rate whatever the gradient's; then, with d
    weights, the squared norm grows by d lr^2 a step and the angle diffuses at d lr^2 / norm^2:

        distance = 1 - (1 + d sum(lr^2) / norm^2)^(-1/2).

    Under SGD the gradient itself falls with the norm, as s / norm in each coordinate, and

        distance = 1 - (1 + 2 d s^2 sum(lr^2) / norm^4)^(-1/4).

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
    normalization". `tests/test_measures.py` holds both formulas against simulated noise.
    """
    if not norm > 0 or n_weights < 2:
        raise ValueError(f"norm={norm} should be > 0 and n_weights={n_weights} at least 2")
    if optimizer == "adam":
        return 1 - (1 + n_weights * squared_rates / norm**2) ** -0.5
    if optimizer == "sgd":
        return 1 - (1 + 2 * n_weights * gradient_noise**2 * squared_rates / norm**4) ** -0.25
    raise ValueError(f"optimizer={optimizer!r} should be 'adam' or 'sgd'")


def noise_quantile(
    norm: float, squared_rates: float | np.ndarray, n_weights: int, share: float
) -> float | np.ndarray:
    """Distance that a share of filters stays below which only noise under Adam has moved.

    For a diffusion on the sphere in d dimensions both moments of the cosine are known:
    E cos = g^(-(d-1)/2d) and E cos^2 = 1/d + (1 - 1/d) / g, with g = 1 + d sum(lr^2) / norm^2.
    The distance is taken to have a gamma distribution with these moments: exact (a chi-squared) for
    small angles. Parameters as for `noise_distance`; `share` from 0 to 1.
    """
    rest, growth = (
        1 - 1 / n_weights,
        np.log1p(n_weights * np.asarray(squared_rates, dtype=float) / norm**2),
    )
    mean = -np.expm1(-rest * growth / 2)
    variance = rest * np.expm1(-growth) - np.expm1(
        -rest * growth
    )  # without the loss of digits that 1 - ... brings
    moved = mean > 0
    mean, variance = np.where(moved, mean, 1.0), np.where(moved, np.maximum(variance, 1e-300), 1.0)
    return np.where(moved, stats.gamma.ppf(share, mean**2 / variance, scale=variance / mean), 0.0)


def response_correlation(before: Tensor, after: Tensor, covariance: Tensor) -> Tensor:
    """Correlation of two filters' responses over all patches, pair by pair.

    w0' S w / sqrt(w0' S w0  w' S w), with S the covariance of the patches. The cosine weighs every
    direction alike; this one only those that the images have, so a filter may turn far and still
    respond as before.

    Parameters
    ----------
    before, after : Tensor of shape (F, C, kh, kw)
    covariance : Tensor of shape (d, d)
        d = C * kh * kw, order as in ``filter.flatten()``.

    Returns
    -------
    Tensor of shape (F,)
        From -1 to 1; NaN where a filter does not respond at all.
    """
    if before.shape != after.shape:
        raise ValueError(
            f"before has shape {tuple(before.shape)}, after {tuple(after.shape)}; they should agree"
        )
    a, b, covariance = before.flatten(1).double(), after.flatten(1).double(), covariance.double()
    if covariance.shape != (a.shape[1],) * 2:
        raise ValueError(
            f"covariance has shape {tuple(covariance.shape)}; "
            f"filters of {a.shape[1]} weights need a square"
        )
    shared = ((a @ covariance) * b).sum(1)
    return (shared / (((a @ covariance) * a).sum(1) * ((b @ covariance) * b).sum(1)).sqrt()).clamp(
        -1, 1
    )


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """Angles between the spaces that two banks span, in degrees, largest first.

    Parameters
    ----------
    a, b : Tensor of shape (F, C, kh, kw)
        Linearly independent filters; the banks may differ in F.

    Returns
    -------
    Tensor of shape (min(F, F'),)
        0 to 90; all 0 if one space holds the other.

    References
    ----------
    Bjorck and Golub (1973), "Numerical methods for computing angles between linear subspaces".
    """
    angles = subspace_angles(a.flatten(1).double().T.numpy(), b.flatten(1).double().T.numpy())
    return torch.from_numpy(np.rad2deg(angles))


def cosine_terms(filters: Tensor) -> Tensor:
    """How many cosine waves each filter is made of: 1 for a single wave of one colour.

    The exponential of the entropy of a filter's energy over the separable cosines of the kernel
    (the discrete cosine transform), times brightness and the two opponent colours if C = 3.
    Noise of d independent weights has about 0.48 d of them. A bank's *mean smoothness* would
    not do: it is the same for every orthonormal basis.

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)
        C = 1 or 3.

    Returns
    -------
    Tensor of shape (F,)
        1 to C * kh * kw.
    """
    channels = filters.shape[1]
    if channels not in (1, 3):
        raise ValueError(
            f"filters have C={channels} channels; opponent colours are defined for 1 or 3"
        )
    waves = torch.from_numpy(dctn(filters.double().numpy(), axes=(2, 3), norm="ortho"))
    if channels == 3:
        opponent = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
        waves = torch.einsum("oc,fchw->fohw", opponent / opponent.norm(dim=1, keepdim=True), waves)
    energy = waves.flatten(1).square()
    return torch.special.entr(energy / energy.sum(1, keepdim=True)).sum(1).exp()


def overlaps(filters: Tensor) -> Tensor:
    """Cosine similarity of every pair of filters of a bank.

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)

    Returns
    -------
    Tensor of shape (F * (F - 1) / 2,)
    """
    flat = torch.nn.functional.normalize(filters.flatten(1).double(), dim=1)
    rows, cols = torch.triu_indices(len(flat), len(flat), offset=1)
    return (flat @ flat.T)[rows, cols]


def effective_rank(filters: Tensor) -> float:
    """How many directions a bank spreads over: exp of the entropy of its squared singular values.

    Filters are taken at unit norm. From 1 (all parallel) to min(F, d) (orthogonal).

    References
    ----------
    Roy and Vetterli (2007), "The effective rank: a measure of effective dimensionality"; here on
    squared singular values.
    """
    flat = torch.nn.functional.normalize(filters.flatten(1).double(), dim=1)
    power = torch.linalg.svdvals(flat).square()
    share = power / power.sum()
    return torch.special.entr(share).sum().exp().item()


def match(a: Tensor, b: Tensor, *, signed: bool = True) -> tuple[Tensor, Tensor]:
    """Pair the filters of two banks one to one so that the sum of their cosines is largest.

    Parameters
    ----------
    a, b : Tensor of shape (F, C, kh, kw)
        Equally many filters.
    signed : bool
        False: a filter and its negative count as the same.

    Returns
    -------
    order : Tensor of shape (F,)
        b[order] stands beside a.
    similarity : Tensor of shape (F,)
        Cosine of each pair (its magnitude if not signed).

    References
    ----------
    Kuhn (1955), "The Hungarian method for the assignment problem".
    """
    if a.shape != b.shape:
        raise ValueError(f"a has shape {tuple(a.shape)}, b {tuple(b.shape)}; they should agree")
    one, two = (torch.nn.functional.normalize(bank.flatten(1).double(), dim=1) for bank in (a, b))
    cosines = one @ two.T if signed else (one @ two.T).abs()
    rows, cols = linear_sum_assignment(cosines.numpy(), maximize=True)
    return torch.from_numpy(cols), cosines[rows, cols]


def responses(filters: Tensor, patches: Tensor) -> Tensor:
    """Dot product of every filter with every patch: a convolution's outputs before its bias.

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)
    patches : Tensor of shape (P, C, kh, kw)

    Returns
    -------
    Tensor of shape (F, P)
    """
    if filters.shape[1:] != patches.shape[1:]:
        raise ValueError(
            f"filters have shape {tuple(filters.shape[1:])}, patches {tuple(patches.shape[1:])}; "
            "they should agree"
        )
    return filters.flatten(1) @ patches.flatten(1).T
