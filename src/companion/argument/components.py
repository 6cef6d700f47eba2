"""What decides the claims on principal components: 16 (mean zero), 18 (100 images), 21 (balance).

Rows of a bank (F, d) or (F, C, kh, kw) are filters; a full bank has F = d of them, a rotation.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..intervals import Interval, mean_interval
from .agreement import Outcome, above, all_hold, of_parts

MEAN_ZERO = 0.01  #: |cos| with the constant vector of a filter that counts as of mean zero
CLOSE = 10.0  #: degrees between two spaces that count as the same
KEPT = 99.0  #: % of the variance that as many directions can keep at most
EVENED = 2.0  #: imbalance without standardising over that with it

# --- Claim 16 -------------------------------------------------------------------------------------


def cosines_with_constant(filters: Tensor) -> Tensor:
    """|cos| of each filter (F, ...) with the constant vector, (F,): 0 where it has mean zero.

    >>> cosines_with_constant(torch.tensor([[1.0, -1.0], [3.0, 3.0]])).tolist()
    [0.0, 1.0]
    """
    flat = filters.flatten(1).double()
    return flat.sum(1).abs() / (flat.norm(dim=1) * flat.shape[1] ** 0.5)


def judged_for_mean_zero(cosines: Tensor, n_values: int) -> Tensor:
    """The cosines (F,) that a rule may ask to vanish: of a full bank, all but the largest.

    Squared, those of d orthonormal filters add up to 1 (Parseval), so one of them must be far from
    mean zero, whatever the data.

    >>> judged_for_mean_zero(torch.tensor([0.1, 0.9]), 2).tolist()
    [0.10000000149011612]
    """
    return cosines.sort().values[:-1] if len(cosines) == n_values else cosines


def means_vanish(cosines: Tensor, n_values: int, bound: float = MEAN_ZERO) -> bool:
    """Claim 16: whether filters have mean zero, where that is possible.

    >>> means_vanish(torch.tensor([0.001, 1.0]), 2), means_vanish(torch.tensor([0.1, 0.99]), 2)
    (True, False)
    """
    judged = judged_for_mean_zero(cosines, n_values)
    return bool(judged.max() <= bound) if len(judged) else True


# --- Claim 18 -------------------------------------------------------------------------------------


def largest_angles(found: Tensor, reference: Tensor) -> np.ndarray:
    """Largest angle between the spaces of the m leading filters of two full banks, m = 1 .. d - 1.

    Parameters
    ----------
    found, reference : Tensor of shape (d, ...)
        Orthonormal, most variance first.

    Returns
    -------
    ndarray of shape (d - 1,)
        In degrees. At m = d both are the whole space, so it would be 0 for any two banks.

    Examples
    --------
    >>> largest_angles(torch.eye(3)[[1, 0, 2]], torch.eye(3)).round()
    array([90.,  0.])
    """
    across = (found.flatten(1).double() @ reference.flatten(1).double().T).numpy()
    sines = [np.linalg.norm(across[:m, m:], 2) for m in range(1, len(across))]
    return np.rad2deg(np.arcsin(np.clip(sines, 0, 1)))


def expected_angles(reference: Tensor, values: Tensor, error: Tensor) -> np.ndarray:
    """`largest_angles` by perturbation theory: error over gap, to first order, at most 90 degrees.

    Parameters
    ----------
    reference : Tensor of shape (d, ...)
        Eigenvectors of a matrix, most variance first.
    values : Tensor of shape (d,)
        Its eigenvalues.
    error : Tensor of shape (d, d)
        What a sample's matrix differs by; it shrinks as 1 / sqrt(images), and so do the angles.

    Returns
    -------
    ndarray of shape (d - 1,)

    References
    ----------
    Davis and Kahan (1970), "The rotation of eigenvectors by a perturbation. III".

    Examples
    --------
    >>> error = torch.tensor([[0.0, 0.01], [0.01, 0.0]])
    >>> expected_angles(torch.eye(2), torch.tensor([2.0, 1.0]), error).round(3)
    array([0.573])
    """
    rows = reference.flatten(1).double()
    mixed = (rows @ error.double() @ rows.T).numpy()
    levels = values.double().numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        turned = mixed / (levels[:, None] - levels[None, :])
    turned = np.clip(np.nan_to_num(turned, nan=0.0), -1e6, 1e6)
    sines = [np.linalg.norm(turned[:m, m:], 2) for m in range(1, len(levels))]
    return np.rad2deg(np.arcsin(np.clip(sines, 0, 1)))


def kept_shares(found: Tensor, reference: Tensor, matrix: Tensor) -> np.ndarray:
    """Variance that the m leading filters keep, in % of the most that m can, m = 1 .. d - 1.

    Of the variance in `matrix` (d, d), whose eigenvectors are the full bank `reference`.

    >>> kept_shares(torch.eye(2)[[1, 0]], torch.eye(2), torch.diag(torch.tensor([4.0, 1.0])))
    array([25.])
    """
    kept, most = (
        ((flat @ matrix.double()) * flat).sum(1).cumsum(0)[:-1].numpy()
        for flat in (found.flatten(1).double(), reference.flatten(1).double())
    )
    return 100 * kept / most


def spaces_found(angles: ArrayLike, bound: float = CLOSE) -> Outcome:
    """Whether the mean angle over draws (S, M) is below a bound, in degrees, at every m.

    >>> spaces_found([[1, 2], [2, 2.5]]), spaces_found([[2, 60], [3, 61], [2, 60]])
    (True, False)
    """
    return all_hold(_below(mean_interval(of_m), bound) for of_m in np.asarray(angles).T)


def variance_found(kept: ArrayLike, bound: float = KEPT) -> Outcome:
    """Whether the mean variance kept over draws (S, M), in %, is above a bound at every m.

    >>> variance_found([[99.9], [99.8]]), variance_found([[90], [91]])
    (True, False)
    """
    return all_hold(above(mean_interval(of_m), bound) for of_m in np.asarray(kept).T)


def images_suffice(angles: ArrayLike, kept: ArrayLike, agreement: ArrayLike) -> Outcome:
    """Claim 18, of S draws: as much variance, the same spaces, the same single components.

    MIXED where one of the three holds and another does not.

    Parameters
    ----------
    angles, kept : array of shape (S, M)
        `largest_angles` and `kept_shares`, for every number of leading components.
    agreement : array of shape (S,)
        Mean cosine of matched components, as chapter 5 has it of k-means (`matched_agreement`).
    """
    single = above(mean_interval(agreement))
    return of_parts([variance_found(kept), spaces_found(angles), single])


def _below(interval: Interval, bound: float) -> Outcome:
    return {-1: True, 1: False, 0: None}[interval.side(of=bound)]


# --- Claim 21 -------------------------------------------------------------------------------------


def evens_out(gains: ArrayLike, factor: float = EVENED) -> bool:
    """Claim 21: whether the imbalance falls by a factor, in the median over draws, in every case.

    `gains` (S, cases) has the imbalance without standardising over that with it.

    >>> evens_out([[3, 2.5], [2.2, 2.1]]), evens_out([[3, 1.1], [3, 1.2]])
    (True, False)
    """
    return bool((np.median(np.asarray(gains), axis=0) >= factor).all())


# --- Claim 20, without training -------------------------------------------------------------------


def response_correlations(filters: Tensor, covariance: Tensor) -> Tensor:
    """Correlation matrix (F, F) of filters' responses to patches of a covariance (d, d).

    >>> response_correlations(torch.eye(2), torch.diag(torch.tensor([4.0, 1.0]))).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    flat = filters.flatten(1).double()
    joint = flat @ covariance.double() @ flat.T
    scale = joint.diagonal().sqrt()
    return joint / torch.outer(scale, scale)


def condition_number(correlations: Tensor) -> float:
    """Largest over smallest eigenvalue of a correlation matrix: 1 where nothing is correlated."""
    levels = torch.linalg.eigvalsh(correlations)
    return (levels[-1] / levels[0].clamp_min(1e-12 * levels[-1])).item()


def brightness_shares(filters: Tensor, covariance: Tensor) -> Tensor:
    """Share of each response's variance that brightness (the sum of a patch) explains, (F,)."""
    flat = filters.flatten(1).double()
    with_ones = torch.cat([flat, torch.ones_like(flat[:1])])
    return response_correlations(with_ones, covariance)[:-1, -1].square()


def turned_within(bank: Tensor, size: int, *, generator: torch.Generator) -> Tensor:
    """A bank (F, ...) of which every `size` neighbours are turned among themselves, at random.

    What is uncorrelated and of one variance stays so; with `size` = F it is any such bank.
    """
    groups = []
    for group in bank.flatten(1).double().split(size):
        noise = torch.randn(len(group), len(group), generator=generator, dtype=torch.float64)
        groups.append(torch.linalg.qr(noise).Q @ group)
    return torch.cat(groups).reshape(bank.shape).to(bank.dtype)
