"""What a turn does to a filter's responses, and whether labels or noise order the filters."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from patchinit.filters.measures import response_correlation

from ..intervals import rank_correlations
from .arms import ArmKey
from .comparisons import COMPONENTS, beside_noise
from .stages import Stage


def correlation_after_turn(
    filters: Tensor,
    covariance: Tensor,
    degrees: float,
    *,
    n: int = 500,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(F,), response correlation of each filter with itself, turned that far at random.

    The mean over n directions, uniform among those at right angles to a filter. The filters have
    shape (F, C, kh, kw), the covariance (d, d) is that of raw patches.

    Examples
    --------
    >>> turned = correlation_after_turn(torch.eye(9).reshape(9, 1, 3, 3), torch.eye(9), 60.0)
    >>> turned.mean().round(decimals=4)  # where all directions are alike, the cosine itself
    tensor(0.5000, dtype=torch.float64)
    """
    unit = normalize(filters.flatten(1).double(), dim=1)
    across = torch.randn(n, *unit.shape, generator=generator, dtype=torch.float64)
    across = normalize(across - (across * unit).sum(2, keepdim=True) * unit, dim=2)
    angle = math.radians(degrees)
    turned = math.cos(angle) * unit + math.sin(angle) * across
    start = filters.double().expand(n, *filters.shape).reshape(-1, *filters.shape[1:])
    found = response_correlation(start, turned.reshape(start.shape), covariance)
    return found.reshape(n, -1).mean(0)


def order_beside_noise(
    null: Stage, trained: Stage, key: ArmKey = COMPONENTS, *, with_last: bool = True
) -> list[tuple[float, float]]:
    """Rank correlations of distance and index under redrawn labels and under the true ones.

    Both after the null's epochs, a pair for each seed that both stages have, made under like
    conditions; empty without runs.
    """
    n = None if with_last else -1
    return [
        tuple(rank_correlations([noise[:n], informed[:n]]).tolist())
        for noise, informed in beside_noise(null, trained, key)
    ]
