"""Claim 23 (and 18): banks of two runs that agree to a known degree."""

import torch
from torch import Tensor

from benchmarks.argument import World
from companion.argument.agreement import Outcome, above, matched_agreement
from companion.intervals import mean_interval

PAIRS, FILTERS, D = 6, 27, 27


def runs(share: float, angle: float, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two banks: a `share` of the filters comes back, each turned by about `angle` degrees."""
    one, fresh, turn = (torch.randn(FILTERS, D, generator=g) for _ in range(3))
    turn -= (turn * one).sum(1, keepdim=True) * one / one.square().sum(1, keepdim=True)
    tilt = torch.tan(torch.deg2rad(torch.tensor(angle)))
    other = one + tilt * one.norm(dim=1, keepdim=True) * turn / turn.norm(dim=1, keepdim=True)
    lost = torch.rand(FILTERS, generator=g) > share
    other = torch.where(lost[:, None], fresh, other)[torch.randperm(FILTERS, generator=g)]
    return one.reshape(-1, 3, 3, 3), other.reshape(-1, 3, 3, 3)


def decide(share: float, angle: float, g: torch.Generator) -> Outcome:
    found = [matched_agreement(*runs(share, angle, g)).mean for _ in range(PAIRS)]
    return above(mean_interval(found))


WORLDS = [
    World("23", "all filters come back, turned by 10 degrees", True, lambda g: decide(1, 10, g)),
    World("23", "all come back, turned by 25 degrees", False, lambda g: decide(1, 25, g)),
    World("23", "0.98 come back, the rest are new", True, lambda g: decide(0.98, 5, g)),
    World("23", "0.85 come back, the rest are new", False, lambda g: decide(0.85, 5, g)),
    World("23", "none comes back", False, lambda g: decide(0, 5, g)),
]
