"""How far filters turn and in which order, beside what turning does to their responses."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from patchinit.filters.measures import response_correlation

from ..claims import CLAIMS, Ratio
from ..intervals import rank_correlations
from .arms import ArmKey
from .comparisons import COMPONENTS, beside_noise
from .judge import DECIDED, Verdict
from .outcomes import conjunction, decision_at, one_sided
from .stages import Stage


def outcome_by_response(verdict: Verdict) -> str | None:
    """What the claim's rule would say of response distances, at the same bounds and levels.

    The rule names the cosine distance, so this is no verdict. None where nothing is decided yet or
    no covariance of patches was given to `companion.evidence.judge.verdicts`.
    """
    if verdict.state != DECIDED or not verdict.by_response:
        return None
    claim = CLAIMS[int(verdict.claim.rstrip("ab"))]
    decision = next(d for d in claim.decisions if f"{claim.number}{d.half}" == verdict.claim)
    # Of two data sets the parts follow one another.
    bounds = decision.parts * (len(verdict.by_response) // len(decision.parts))
    parts = []
    for reading, part in zip(verdict.by_response, bounds, strict=True):
        assert isinstance(part, Ratio)
        bound, sign = part.bound, part.sign
        parts.append(
            decision_at(
                reading.estimate, lambda interval, b=bound, s=sign: one_sided(interval, b, s)
            )
        )
    return conjunction(parts, verdict.readings[0].level)


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
