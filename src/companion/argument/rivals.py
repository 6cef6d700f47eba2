"""k-means beside DBSCAN and hierarchical clustering (claim 29), in three parts.

k-means scales; what the others find hangs on their parameters; and it repeats less well.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from ..intervals import Interval
from .agreement import Outcome, of_parts

AS_GOOD = 0.05  #: of an agreement; a rival that lags by less for certain is as good
MOVES = 10.0  #: %, by which a parameter is moved; clusters that move more are sensitive
PAIRWISE = 2.0  #: exponent of what computes the distance of every pair


def cluster_means(points: np.ndarray, labels: np.ndarray) -> Tensor:
    """The mean of each cluster of points (P, d) as a filter, (F, 1, 1, d); -1 is noise, no cluster.

    >>> cluster_means(np.eye(3), np.array([0, 0, -1])).tolist()
    [[[[0.5, 0.5, 0.0]]]]
    """
    means = [points[labels == label].mean(0) for label in np.unique(labels) if label != -1]
    return torch.from_numpy(np.array(means)).reshape(-1, 1, 1, points.shape[1])


def rand_index(one: np.ndarray, two: np.ndarray, *, with_noise: bool = True) -> float:
    """Adjusted Rand index of two clusterings of the same points, labels (P,), of which -1 is noise.

    `with_noise` takes noise for one cluster more; otherwise points that are noise in both runs are
    left out. NaN if no point is left.

    >>> one, two = np.array([-1, -1, -1, 0, 0, 1]), np.array([-1, -1, -1, 0, 1, 1])
    >>> round(rand_index(one, two), 2), round(rand_index(one, two, with_noise=False), 2)
    (0.66, -0.5)
    """
    kept = np.ones(len(one), bool) if with_noise else (one >= 0) | (two >= 0)
    return adjusted_rand_score(one[kept], two[kept]) if kept.any() else float("nan")


def growth(sizes: Iterable[float], costs: Iterable[float]) -> float:
    """Exponent of the power with which costs grow, a straight line through the logarithms.

    >>> round(growth([1000, 2000, 4000, 8000], [3, 6, 12, 24]), 6)
    1.0
    """
    return float(np.polyfit(np.log(list(sizes)), np.log(list(costs)), 1)[0])


def scales(exponent: Interval) -> Outcome:
    """Whether the distances computed grow more slowly than those of all pairs."""
    return {1: False, -1: True, 0: None}[exponent.side(of=PAIRWISE)]


def ahead(lead: Interval) -> Outcome:
    """Whether k-means agrees better with itself than a rival: not if it leads by too little."""
    return True if lead.low > 0 else False if lead.high < AS_GOOD else None


def number_moves(change: Interval) -> Outcome:
    """Whether the number of clusters changes by more, in %, than the parameter that was moved."""
    return {1: True, -1: False, 0: None}[change.side(of=MOVES)]


def rivals_hold(
    exponent: Interval,
    change: Interval,
    choice_leads: Iterable[Interval],
    repeat_leads: Iterable[Interval],
) -> Outcome:
    """Claim 29, of three parts: MIXED if one holds and another does not.

    Parameters
    ----------
    exponent : Interval
        Of k-means' `growth`.
    change : Interval
        In %, of DBSCAN's number of clusters when its radius is moved by a tenth.
    choice_leads : iterable of Interval
        Agreement of k-means from two kinds of start, minus that of two linkages, by pair of them.
    repeat_leads : iterable of Interval
        Agreement when a tenth of the patches is exchanged, k-means minus a linkage.
    """
    sensitive = of_parts([number_moves(change), *map(ahead, choice_leads)])
    return of_parts([scales(exponent), sensitive, of_parts(map(ahead, repeat_leads))])
