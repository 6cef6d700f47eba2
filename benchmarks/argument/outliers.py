"""Claim 22: a rival that is more, as, and less robust than k-means, by how it is made."""

from functools import partial

import torch
from torch import Tensor

from benchmarks.argument import World
from companion.argument.agreement import Outcome
from companion.argument.outliers import disturbed, noise, robust_holds, with_outliers
from companion.intervals import mean_interval
from patchinit.filters import kmeans

SHAPE, P, K, SHARE, RUNS = (1, 3, 3), 300, 6, 0.2, 15


def decide(kept: float, g: torch.Generator) -> Outcome:
    """k-means on all patches against k-means that keeps a share of the outliers, or repeats them.

    Outliers are the first patches, so a robust rival need only leave them out.
    """
    n_out = round(SHARE * P)
    places = torch.randn(K, 1, 1, 3, 3, generator=torch.Generator().manual_seed(3))
    again = max(0, round((kept - 1) * n_out))
    advantage = []
    for _ in range(RUNS):
        each = places + 0.7 * torch.randn(K, P // K + 1, *SHAPE, generator=g)
        clean = each.flatten(0, 1)[torch.randperm(K * (P // K + 1), generator=g)[:P]]
        mixed = with_outliers(clean, noise(clean.shape, generator=g), SHARE)

        def rival(patches: Tensor, mixed: Tensor = mixed) -> Tensor:
            if patches is mixed:
                first = round(max(0, 1 - kept) * n_out)
                patches = torch.cat([patches[first:], patches[:again]])
            return kmeans(patches, K, n_init=5, generator=g).filters

        plain = partial(_filters, generator=g)
        lost = []
        for cluster in (plain, rival):
            found = disturbed(cluster, clean, {"noise": mixed})
            lost.append(found[""][0] - found["noise"][0])
        advantage.append(lost[0] - lost[1])
    return robust_holds(mean_interval(advantage))


def _filters(patches: Tensor, generator: torch.Generator) -> Tensor:
    return kmeans(patches, K, n_init=5, generator=generator).filters


WORLDS = [
    World("22", "the rival leaves all outliers out", True, partial(decide, 0.0)),
    World("22", "the rival is k-means itself", False, partial(decide, 1.0)),
    World("22", "the rival takes every outlier twice", False, partial(decide, 2.0)),
]
