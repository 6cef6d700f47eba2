"""Claims 13 and 15: patches that a filter's signs decide on, or do not; filters of equal length."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.argument import World
from companion.argument.agreement import Outcome
from companion.argument.similarity import (
    most_similar_share,
    most_similar_wins,
    shared_response,
    signs_decide,
    twins,
)
from companion.intervals import mean_interval

D, P, F, DRAWS = 9, 1500, 15, 6
Draw = Callable[[torch.Generator], Tensor]  #: rows without their mean


def corners(blur: float, g: torch.Generator) -> Tensor:
    """Every patch of black and white, its values off by up to `blur`: signs decide by algebra."""
    bits = (torch.arange(2**D)[:, None] >> torch.arange(D)) & 1
    return (bits - blur * torch.rand(bits.shape, generator=g)).abs()


def cloud(exponent: float, g: torch.Generator) -> Tensor:
    """A Gaussian whose variances fall as a power of their number, in random directions."""
    turn = torch.linalg.qr(torch.randn(D, D, generator=g)).Q
    spread = torch.arange(1, D + 1) ** (-exponent / 2)
    return torch.randn(P, D, generator=g) * spread @ turn


def sphere(g: torch.Generator) -> Tensor:
    """All directions alike, at one length: the best patch is the filter itself."""
    return normalize(_without_mean(torch.randn(P, D, generator=g)), dim=1)


def random_filters(patches: Tensor, g: torch.Generator) -> Tensor:
    return torch.randn(F, D, generator=g)


def weak_components(patches: Tensor, g: torch.Generator) -> Tensor:
    """Those of least variance, without that of the mean."""
    return torch.linalg.eigh(torch.cov(_without_mean(patches).T)).eigenvectors.T[1:5]


def signs(draw: Draw, filters: Callable[..., Tensor], g: torch.Generator) -> Outcome:
    reached = []
    for _ in range(DRAWS):
        patches = draw(g)
        bank = normalize(_without_mean(filters(patches, g)), dim=1)
        shared = shared_response(bank, twins(bank, generator=g), patches)
        reached.append(shared.maximum.median().item())
    return signs_decide([mean_interval(reached)])


def similar(spread: float, g: torch.Generator) -> Outcome:
    """Three banks of mean zero, with lengths that differ by a standard deviation of `spread`."""
    shares = []
    for _ in range(3):
        bank = normalize(_without_mean(torch.randn(F, D, generator=g)), dim=1)
        lengths = (spread * torch.randn(F, 1, generator=g)).exp()
        shares.append(most_similar_share(bank * lengths, cloud(1.0, g)))
    return most_similar_wins(shares)


def _without_mean(rows: Tensor) -> Tensor:
    return rows - rows.mean(1, keepdim=True)


WORLDS = [
    World("13", "all patches of black and white", True,
          partial(signs, partial(corners, 0.0), random_filters)),
    World("13", "the same, off by up to 0.03", True,
          partial(signs, partial(corners, 0.03), random_filters)),
    World("13", "patches spread evenly over a sphere", False,
          partial(signs, sphere, random_filters)),
    World("13", "weak components of a Gaussian, n^-3", False,
          partial(signs, partial(cloud, 3.0), weak_components)),
    World("15", "filters of one length", True, partial(similar, 0.0)),
    World("15", "lengths differ by 10 %", False, partial(similar, 0.1)),
    World("15", "lengths differ by 50 %", False, partial(similar, 0.5)),
]  # fmt: skip
