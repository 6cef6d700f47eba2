"""Measures of filters and of how they change."""

from __future__ import annotations

import torch
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
        raise ValueError(f"a has filters of shape {tuple(a.shape[1:])}, b of {tuple(b.shape[1:])}; they should agree")
    a, b = a.flatten(1).double(), b.flatten(1).double()
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).clamp(-1, 1)


def cosine_distance(before: Tensor, after: Tensor) -> Tensor:
    """1 - cosine similarity, signed, pair by pair: 0 unchanged, 1 orthogonal, 2 reversed.

    The paper's measure of how far a filter moved in training (section 4.4). Shapes as for
    `cosine_similarity`.
    """
    return 1 - cosine_similarity(before, after)


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
            f"filters have shape {tuple(filters.shape[1:])}, patches {tuple(patches.shape[1:])}; they should agree"
        )
    return filters.flatten(1) @ patches.flatten(1).T
