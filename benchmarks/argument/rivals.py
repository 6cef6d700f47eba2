"""Claim 29: rivals that hang on their parameters or do not, and costs of known growth."""

from functools import partial

import numpy as np
import torch

from benchmarks.argument import World
from companion.argument.agreement import Outcome, matched_agreement, of_parts
from companion.argument.rivals import ahead, cluster_means, growth, number_moves, scales
from companion.intervals import mean_interval

SAMPLES, K, P, D = 6, 9, 600, 9


def grows(power: float, g: torch.Generator) -> Outcome:
    """Costs at four sizes that grow by a power, each off by about a third."""
    sizes = np.array([1000, 2000, 4000, 8000])
    off = np.exp(0.3 * torch.randn(SAMPLES, 4, generator=g).numpy())
    return scales(mean_interval([growth(sizes, sizes**power * each) for each in off]))


def repeats(one: float, other: float, g: torch.Generator) -> Outcome:
    """Two clusterings of clumps, each of which mislabels a share of the points in every run."""
    leads = []
    for _ in range(SAMPLES):
        places = torch.randn(K, D, generator=g).numpy()
        labels = torch.randint(K, (P,), generator=g).numpy()
        points = places[labels] + 0.3 * torch.randn(P, D, generator=g).numpy()
        agree = []
        for wrong in (one, other):
            banks = []
            for _ in range(2):
                moved = torch.rand(P, generator=g).numpy() < wrong
                clump = int(torch.randint(K, (1,), generator=g))  # all of them go to one clump
                banks.append(cluster_means(points, np.where(moved, clump, labels)))
            agree.append(matched_agreement(*banks).mean)
        leads.append(agree[0] - agree[1])
    return of_parts([ahead(mean_interval(leads))])


def moves(by: float, g: torch.Generator) -> Outcome:
    """The number of clusters moves by `by` percent, give or take ten."""
    change = by + 10 * torch.randn(SAMPLES, generator=g).numpy()
    return number_moves(mean_interval(np.abs(change)))


WORLDS = [
    World("29 scale", "cost grows as the power 1.6", True, partial(grows, 1.6)),
    World("29 scale", "cost grows as the power 2.4", False, partial(grows, 2.4)),
    World("29 repeats", "the rival mislabels 0.5, k-means none", True, partial(repeats, 0.0, 0.5)),
    World("29 repeats", "both mislabel 0.1", False, partial(repeats, 0.1, 0.1)),
    World("29 repeats", "k-means mislabels 0.5, the rival none", False, partial(repeats, 0.5, 0.0)),
    World("29 number", "it moves by 60 % for 10", True, partial(moves, 60)),
    World("29 number", "it moves by 0 % for 10", False, partial(moves, 0)),
]
