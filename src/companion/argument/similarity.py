"""What makes a response large: the signs of a filter, the likeness of a patch, or its contrast?

Claims 13 and 15, and the rulers of chapter 1. Patches are rows (P, d), and so are filters (F, d).
Filters of mean zero see a patch without its mean, so either kind of patch may be given for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import normalize

from ..intervals import Interval
from .agreement import Outcome, above, all_hold, of_parts

NEARLY = 0.95  #: of a filter's largest response; what reaches more has maximised it
MOST = 0.99  #: of the patches, to which the most similar filter responds most


def twins(
    filters: Tensor, *, least: float = 0.0, generator: torch.Generator | None = None
) -> Tensor:
    """Filters of the same signs and other magnitudes, with mean zero and length 1.

    Parameters
    ----------
    filters : Tensor of shape (F, d)
        Each with weights above and below zero.
    least : float
        Magnitudes are drawn evenly between it and 1, before the negative ones are scaled so that
        the sum is zero. 1 leaves the signs alone.

    Examples
    --------
    >>> twins(torch.tensor([[3.0, 1, -1, -9]]), least=1).tolist()
    [[0.5, 0.5, -0.5, -0.5]]
    """
    drawn = least + (1 - least) * torch.rand(filters.shape, generator=generator)
    up, down = drawn * (filters > 0), drawn * (filters < 0)
    return normalize(up / up.sum(1, keepdim=True) - down / down.sum(1, keepdim=True), dim=1)


class Shared(NamedTuple):
    """What filters have in common with their rivals, one value a filter, (F,)."""

    correlation: Tensor  #: of the two responses, over the patches
    maximum: Tensor  #: response of the rival to the filter's best patch, over its own largest
    top: Tensor  #: share of the most exciting patches that the two have in common


def shared_response(
    filters: Tensor, rivals: Tensor, patches: Tensor, *, top: float = 0.01
) -> Shared:
    """How far filters and rivals (F, d) are excited by the same patches (P, d).

    `top` is the share of the patches that counts as the most exciting ones, at least one of them.

    Examples
    --------
    >>> same = shared_response(torch.eye(2), 3 * torch.eye(2), torch.rand(50, 2))
    >>> [part.round(decimals=4).tolist() for part in same]
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    k = max(1, round(top * len(patches)))
    # A few at a time: the responses of all would take more memory than the patches.
    parts = [
        _shared(first @ patches.T, second @ patches.T, k)
        for first, second in zip(filters.split(16), rivals.split(16), strict=True)
    ]
    return Shared(*map(torch.cat, zip(*parts, strict=True)))


def _shared(one: Tensor, two: Tensor, k: int) -> Shared:
    """Of responses (F, P), of which the largest k count."""
    at_best = two.gather(1, one.argmax(1, keepdim=True))[:, 0]
    in_top = torch.zeros(one.shape, dtype=torch.bool).scatter_(1, one.topk(k).indices, True)
    both = in_top.gather(1, two.topk(k).indices).double().mean(1)
    first, second = (normalize(part - part.mean(1, keepdim=True), dim=1) for part in (one, two))
    return Shared((first * second).sum(1), at_best / two.amax(1), both)


def signs_decide(reached: Iterable[Interval]) -> Outcome:
    """Claim 13 in the paper's sense: what maximises a filter maximises every one of its signs.

    Parameters
    ----------
    reached : iterable of Interval
        By kind of filter, how much of its own largest response a twin reaches on the filter's best
        patch: the median over the filters. MIXED if it is enough for some kinds and not for others.
    """
    return of_parts(above(each, NEARLY) for each in reached)


def most_similar_share(filters: Tensor, patches: Tensor, *, of_pattern: bool = False) -> float:
    """Share of the patches whose largest response is that of the most similar filter, 0 to 1.

    Similar is measured by the cosine with the patch as it is, or, if `of_pattern`, with its mean
    taken out from both. Where two filters respond alike to within a rounding error, either wins.

    >>> most_similar_share(torch.tensor([[1.0, 0], [4, 3]]), torch.tensor([[1.0, 0], [4, 3]]))
    0.5
    """
    filters = filters.double()
    # A filter without its mean sees a patch without it.
    judges = filters - filters.mean(1, keepdim=True) if of_pattern else filters
    judges, n_right = normalize(judges, dim=1), 0
    for part in patches.double().split(2_000):  # they stay in the cache
        found = part @ filters.T  # (P', F)
        likest = (part @ judges.T).argmax(1, keepdim=True)
        n_right += int((found.gather(1, likest)[:, 0] >= found.amax(1) - 1e-9).sum())
    return n_right / len(patches)


def most_similar_wins(shares: Iterable[float]) -> bool:
    """Claim 15: in every bank the most similar filter responds most, to 99 % of the patches."""
    return all_hold(share > MOST for share in shares) is True


def contrast_shares(contrast: Tensor, cosine: Tensor) -> dict[str, float]:
    """How much of what makes responses large is contrast, 0 to 1, by four rulers.

    Parameters
    ----------
    contrast : Tensor of shape (P,)
        Above 0.
    cosine : Tensor of shape (P,)
        Of one filter with each patch; a response is contrast times cosine.

    Returns
    -------
    dict
        By ruler: of the variances of the two logarithms, over all patches and over those with a
        cosine above 0.1 in magnitude; of the squared ratios of standard deviation to mean; and of
        the squared rank correlations with the magnitude of the response.
    """
    contrast, cosine = contrast.double(), cosine.double().abs()
    ranks = [torch.from_numpy(rankdata(x.numpy())) for x in (contrast, cosine, contrast * cosine)]

    def of_logs(kept: Tensor) -> float:
        logs = (part[kept].log().var() for part in (contrast, cosine.clamp_min(1e-6)))
        return _part(*(value.item() for value in logs))

    return {
        "variance of the logarithm": of_logs(cosine >= 0),
        "the same, cosines above 0.1 alone": of_logs(cosine > 0.1),
        "spread over mean, squared": _part(
            *((x.std() / x.mean()).square().item() for x in (contrast, cosine))
        ),
        "rank correlation with the response, squared": _part(
            *torch.corrcoef(torch.stack(ranks))[2, :2].square().tolist()
        ),
    }


def _part(one: float, other: float) -> float:
    return one / (one + other) if one + other else math.nan
