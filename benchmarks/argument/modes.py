"""Claim 19: clouds of points with dense places, with valleys between them, and with neither."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.argument import World
from companion.argument.agreement import Outcome
from companion.argument.modes import (
    captured_share,
    empty_share,
    gaussian_like,
    least_share,
    modes_hold,
    spread_holds,
    standard_points,
    uniform_like,
    valleys,
)
from companion.intervals import mean_interval
from patchinit.filters import kmeans

SHAPE, K, P, SAMPLES = (1, 3, 3), 9, 1500, 4
Draw = Callable[[int, torch.Generator], Tensor]  #: that many points as rows


def of_covariance(exponent: float) -> Draw:
    """A Gaussian whose variances fall as a power of their number; 0 is the same everywhere."""
    spread = torch.arange(1, 10, dtype=torch.float64) ** (-exponent / 2)
    turn = torch.linalg.qr(torch.randn(9, 9, generator=torch.Generator().manual_seed(1)).double()).Q
    return lambda n, g: torch.randn(n, 9, generator=g, dtype=torch.float64) * spread @ turn


def mixture(n_clumps: int, width: float) -> Draw:
    """Equal clumps about fixed random places; `width` in units of their distance from zero."""
    places = torch.randn(n_clumps, 9, generator=torch.Generator().manual_seed(2)).double()

    def draw(n: int, g: torch.Generator) -> Tensor:
        which = torch.randint(n_clumps, (n,), generator=g)
        return places[which] + width * torch.randn(n, 9, generator=g, dtype=torch.float64)

    return draw


def measured(draw: Draw, g: torch.Generator) -> tuple[Outcome, Outcome]:
    """(the claim as the paper means it, valleys beyond the covariance) of one set of samples."""
    below, empty, captured, excess, least = [], [], [], [], []
    for _ in range(SAMPLES):
        points, new = (standard_points(draw(P, g).reshape(-1, *SHAPE)) for _ in range(2))
        gaussian, uniform = (make(points, 2 * P, generator=g) for make in (gaussian_like,
                             uniform_like))  # fmt: skip
        banks = [kmeans(cloud[:P].reshape(-1, *SHAPE), K, norm=None, generator=g)
                 for cloud in (points, gaussian, uniform)]  # fmt: skip
        centres = [bank.filters.flatten(1).double() for bank in banks]
        below.append(100 * (1 - banks[0].inertia / banks[2].inertia))
        empty.append(empty_share(points, new, uniform[P:]))
        captured.append(captured_share(centres[0], new))
        dips = [valleys(centres[0], new), valleys(centres[1], gaussian[P:])]
        excess.append(100 * (dips[0].double().mean() - dips[1].double().mean()).item())
        least.append(least_share(centres[0], new))
    intervals = map(mean_interval, (below, empty, captured, least))
    return spread_holds(*intervals), modes_hold(mean_interval(excess))


def _worlds(name: str, draw: Draw, uneven: bool, parted: bool) -> list[World]:
    return [
        World("19", name, uneven, lambda g: measured(draw, g)[0]),
        World("19 valleys", name, parted, lambda g: measured(draw, g)[1]),
    ]


WORLDS = [
    *_worlds("spread evenly over the sphere", of_covariance(0.0), False, False),
    *_worlds("nearly evenly: variances fall as n^-0.3", of_covariance(0.3), False, False),
    *_worlds("a Gaussian as uneven as patches: n^-2", of_covariance(2.0), True, False),
    *_worlds("nine clumps, width 0.3", mixture(9, 0.3), True, True),
    *_worlds("nine clumps washed out, width 3", mixture(9, 3.0), False, False),
]
