"""Measures of filters and of how they change."""

from __future__ import annotations

import torch
from torch import Tensor

from ..patches import plain_arithmetic
from .baselines import cosines


@plain_arithmetic()
def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Signed cosine of the angle between filters of two banks, pair by pair.

    Parameters
    ----------
    a, b : Tensor of shape (F, C, kh, kw)
        Any floating point, on one device. Broadcast against each other along the first axis.

    Returns
    -------
    Tensor of shape (F,)
        From -1 to 1; NaN where a filter is zero, for it has no direction.

    Examples
    --------
    >>> a, b = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[3.0, 4.0]]]])
    >>> cosine_similarity(a, b).round(decimals=6).tolist()
    [0.6]
    """
    _check_agreement("a has filters of", a.shape[1:], "b of", b.shape[1:])
    a, b = a.flatten(1).double(), b.flatten(1).double()
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).clamp(-1, 1)


@plain_arithmetic()
def cosine_distance(before: Tensor, after: Tensor) -> Tensor:
    """1 - cosine similarity, signed, pair by pair: 0 unchanged, 1 orthogonal, 2 reversed.

    The paper's measure of how far a filter moved in training (section 4.4). Shapes as for
    `cosine_similarity`.

    Examples
    --------
    >>> before = torch.eye(2).reshape(2, 1, 1, 2)
    >>> cosine_distance(before, -2 * before).tolist()
    [2.0, 2.0]
    """
    return 1 - cosine_similarity(before, after)


@plain_arithmetic()
def response_correlation(before: Tensor, after: Tensor, covariance: Tensor) -> Tensor:
    """Correlation of two filters' responses over all patches, pair by pair.

    w0' S w / sqrt(w0' S w0  w' S w), with S the covariance of the patches: a filter may turn far
    along directions that the images lack and still respond as before.

    Parameters
    ----------
    before, after : Tensor of shape (F, C, kh, kw)
    covariance : Tensor of shape (d, d)
        d = C * kh * kw, order as in ``filter.flatten()``.

    Returns
    -------
    Tensor of shape (F,)
        From -1 to 1; NaN where a filter does not respond at all.

    Examples
    --------
    >>> before, after = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[1.0, 1.0]]]])
    >>> never_the_second = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    >>> response_correlation(before, after, never_the_second).tolist()
    [1.0]
    """
    _check_agreement("before has", before.shape, "after", after.shape)
    a, b, covariance = before.flatten(1).double(), after.flatten(1).double(), covariance.double()
    d = a.shape[1]
    if covariance.shape != (d, d):
        shape = tuple(covariance.shape)
        raise ValueError(f"covariance has shape {shape}; filters of {d} weights need a square")
    shared, one, two = (((x @ covariance) * y).sum(1) for x, y in ((a, b), (a, a), (b, b)))
    return (shared / (one * two).sqrt()).clamp(-1, 1)


@plain_arithmetic()
def cosine_terms(filters: Tensor) -> Tensor:
    """How many cosine waves each filter is made of: 1 for a single wave of one colour.

    The exponential of the entropy of a filter's energy over the discrete cosine transform, times
    brightness and the two opponent colours if C = 3. Noise of d weights has about 0.48 d of them.

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)
        C = 1 or 3.

    Returns
    -------
    Tensor of shape (F,)
        1 to C * kh * kw.

    Examples
    --------
    >>> cosine_terms(torch.ones(1, 3, 3, 3)).round(decimals=6).tolist()
    [1.0]
    """
    channels = filters.shape[1]
    if channels not in (1, 3):
        text = "channels; opponent colours are defined for 1 or 3"
        raise ValueError(f"filters have C={channels} {text}")
    down, across = cosines(filters.shape[2]), cosines(filters.shape[3])
    waves = down @ filters.double() @ across.T
    if channels == 3:
        opponent = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
        waves = torch.einsum("oc,fchw->fohw", opponent / opponent.norm(dim=1, keepdim=True), waves)
    energy = waves.flatten(1).square()
    return torch.special.entr(energy / energy.sum(1, keepdim=True)).sum(1).exp()


@plain_arithmetic()
def overlaps(filters: Tensor) -> Tensor:
    """Cosine similarity of every pair of filters of a bank.

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)

    Returns
    -------
    Tensor of shape (F * (F - 1) / 2,)

    Examples
    --------
    >>> overlaps(torch.eye(3).reshape(3, 1, 1, 3)).tolist()
    [0.0, 0.0, 0.0]
    """
    flat = torch.nn.functional.normalize(filters.flatten(1).double(), dim=1)
    rows, cols = torch.triu_indices(len(flat), len(flat), offset=1)
    return (flat @ flat.T)[rows, cols]


@plain_arithmetic()
def effective_rank(filters: Tensor) -> float:
    """How many directions a bank spreads over: exp of the entropy of its squared singular values.

    Of filters (F, C, kh, kw) at unit norm, from 1 (all parallel) to min(F, d) (orthogonal). After
    Roy and Vetterli (2007), "The effective rank", here of squared values.

    Examples
    --------
    >>> round(effective_rank(torch.eye(4).reshape(4, 1, 2, 2)), 6)
    4.0
    """
    flat = torch.nn.functional.normalize(filters.flatten(1).double(), dim=1)
    power = torch.linalg.svdvals(flat).square()
    share = power / power.sum()
    return torch.special.entr(share).sum().exp().item()


@plain_arithmetic()
def responses(filters: Tensor, patches: Tensor) -> Tensor:
    """Dot product of every filter with every patch: a convolution's outputs before its bias.

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)
    patches : Tensor of shape (P, C, kh, kw)
        Of the filters' floating-point dtype and device.

    Returns
    -------
    Tensor of shape (F, P)

    Examples
    --------
    >>> responses(torch.ones(2, 1, 3, 3), torch.ones(5, 1, 3, 3)).shape
    torch.Size([2, 5])
    """
    _check_agreement("filters have", filters.shape[1:], "patches", patches.shape[1:])
    return filters.flatten(1) @ patches.flatten(1).T


def _check_agreement(one: str, shape: torch.Size, other: str, its_shape: torch.Size) -> None:
    if shape != its_shape:
        shapes = f"{one} shape {tuple(shape)}, {other} {tuple(its_shape)}"
        raise ValueError(f"{shapes}; they should agree")
