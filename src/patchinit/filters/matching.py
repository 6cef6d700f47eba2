"""Two banks held against each other, whatever the order of their filters."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .measures import _check_agreement


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """Angles between the spaces that two banks span, in degrees, largest first.

    Bjorck and Golub (1973), "Numerical methods for computing angles between linear subspaces".

    Parameters
    ----------
    a, b : Tensor of shape (F, C, kh, kw)
        Linearly independent filters; the banks may differ in F.

    Returns
    -------
    Tensor of shape (min(F, F'),)
        0 to 90; all 0 if one space holds the other.

    Examples
    --------
    >>> basis = torch.eye(4).reshape(4, 1, 2, 2)
    >>> principal_angles(basis[:2], basis[1:3]).round().tolist()
    [90.0, 0.0]
    """
    from scipy.linalg import subspace_angles  # comes with scikit-learn

    _check_agreement("a has filters of", a.shape[1:], "b of", b.shape[1:])
    flat = (bank.detach().cpu().double().flatten(1) for bank in (a, b))
    angles = subspace_angles(*(bank.T.numpy() for bank in flat))
    return torch.from_numpy(np.rad2deg(angles))


def match(a: Tensor, b: Tensor, *, signed: bool = True) -> tuple[Tensor, Tensor]:
    """Pair the filters of two banks one to one so that the sum of their cosines is largest.

    Kuhn (1955), "The Hungarian method for the assignment problem".

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

    Examples
    --------
    >>> basis = torch.eye(4).reshape(4, 1, 2, 2)
    >>> match(basis, basis.flip(0))[0].tolist()
    [3, 2, 1, 0]
    """
    if a.shape != b.shape:
        raise ValueError(f"a has shape {tuple(a.shape)}, b {tuple(b.shape)}; they should agree")
    flat = (bank.detach().cpu().double().flatten(1) for bank in (a, b))
    one, two = (torch.nn.functional.normalize(bank, dim=1) for bank in flat)
    cosines = one @ two.T if signed else (one @ two.T).abs()
    from scipy.optimize import linear_sum_assignment  # comes with scikit-learn

    rows, cols = linear_sum_assignment(cosines.numpy(), maximize=True)
    return torch.from_numpy(cols), cosines[rows, cols]
