"""Are there dense and empty places among patches, and do centroids cover them (claim 19)?

The paper sets clusters against "a relatively uniform" spread, so the verdict compares patches with
points spread evenly over the sphere. A Gaussian of the same covariance is our own, stricter
comparison: what goes beyond it is more than the correlations of pixels.

Points are standardised patches as rows (P, d), float64, on a sphere of radius sqrt(d).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from patchinit.patches import standardize_patches

from ..intervals import Interval
from .agreement import Outcome, above, all_hold, of_parts

LESS_INERTIA = 10.0  #: %, below that of points spread evenly
EMPTY = 10.0  #: %, of the sphere that has no patch near
CAPTURED = 50.0  #: %, of the new patches' squared length: the paper's "majority"
VALLEYS = 10.0  #: percentage points of the centroids, beyond the Gaussian's


def standard_points(patches: Tensor) -> Tensor:
    """Standardised patches (P, C, kh, kw) as rows (P', d), float64; constant ones are left out."""
    return standardize_patches(patches).patches.flatten(1).double()


def uniform_like(points: Tensor, n: int, *, generator: torch.Generator | None = None) -> Tensor:
    """n points spread evenly over the sphere of points (P, d): mean zero, norm sqrt(d)."""
    cloud = torch.randn((n, points.shape[1]), generator=generator, dtype=torch.float64)
    return _on_sphere(cloud - cloud.mean(1, keepdim=True))


def gaussian_like(
    points: Tensor, n: int, *, generator: torch.Generator | None = None, rounds: int = 12
) -> Tensor:
    """n points of a Gaussian, standardised: on the sphere its mean and covariance are the points'.

    Standardising changes a covariance, so the Gaussian is adjusted in `rounds` until it fits.
    """
    values, vectors = torch.linalg.eigh(torch.cov(points.T))
    vectors = vectors[:, values > 1e-6 * values.max()]  # without the constant direction
    target = points @ vectors
    wanted, shift = torch.cov(target.T), target.mean(0)
    root = torch.linalg.cholesky(wanted)
    noise = torch.randn((n, target.shape[1]), generator=generator, dtype=torch.float64)
    radius = points.shape[1] ** 0.5
    for _ in range(rounds):
        cloud = normalize(shift + noise @ root.T, dim=1) * radius
        shift = shift + target.mean(0) - cloud.mean(0)
        found = torch.linalg.cholesky(torch.cov(cloud.T))
        root = torch.linalg.cholesky(wanted) @ torch.linalg.inv(found) @ root
    return cloud @ vectors.T


def valleys(centres: Tensor, points: Tensor, *, k: int = 20) -> Tensor:
    """Whether the density dips between each centre and its nearest neighbour.

    Count the points within a radius of both centres and of the place midway on the sphere. The
    radius is the smallest with k points around each centre, and fewer than k / 2 midway are a
    valley. In a cloud with one hump the middle is no emptier than the emptier end. No point is
    chosen by its cluster: those of two clusters alone leave a gap between them in any cloud.

    Parameters
    ----------
    centres : Tensor of shape (K, d)
        Of any length; K >= 2.
    points : Tensor of shape (P, d)
        Not those that the centres were found by; P >= k, else a ValueError.

    Returns
    -------
    Tensor of shape (K,)
        Booleans.

    Examples
    --------
    >>> poles = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()
    >>> valleys(poles, poles.repeat(30, 1)).tolist()
    [True, True]
    """
    *_, counts = between(centres, points, k=k, n_places=3)
    return 2 * counts[:, 1] < k


class Between(NamedTuple):
    """The ways from K centres to their nearest neighbours, n places each, as `between` has them."""

    other: Tensor  #: (K,), which centre the neighbour is
    places: Tensor  #: (K, n, d), from the centre to the neighbour, on the points' sphere
    radius: Tensor  #: (K,), within which points are near
    counts: Tensor  #: (K, n), how many points are near each place


def between(centres: Tensor, points: Tensor, *, k: int, n_places: int) -> Between:
    """How many points are near each of n places from a centre to its nearest neighbour.

    Parameters and errors as for `valleys`, where near is explained.
    """
    if len(points) < k:
        raise ValueError(f"points has {len(points)} rows; k={k} need at least as many")
    centres, points = _on_sphere(centres.double()), points.double()
    other = torch.cdist(centres, centres).fill_diagonal_(torch.inf).argmin(1)
    reach = torch.cdist(centres, points).kthvalue(k, dim=1).values
    radius = torch.maximum(reach, reach[other])
    share = torch.linspace(0, 1, n_places, dtype=torch.float64)[:, None]
    # A tiny push decides where two centres are opposite and every place is midway.
    push = 1e-9 * torch.ones_like(centres).cumsum(1)
    ways = [
        _on_sphere((1 - share) * one + share * two + share * (1 - share) * 2 * tiny)
        for one, two, tiny in zip(centres, centres[other], push, strict=True)
    ]
    # All distances by one product: what is asked for is whether they are below the radius.
    apart = torch.cdist(torch.cat(ways), points).unflatten(0, (len(ways), n_places))
    counts = (apart <= radius[:, None, None]).sum(2)
    return Between(other, torch.stack(ways), radius, counts)


def valleys_within(centres: Tensor, points: Tensor) -> Tensor:
    """The same among the points of two clusters alone, which finds valleys in any cloud.

    Of the points (P, d) of a centre's cluster and its nearest neighbour's, projected on the line
    through both centres, fewer than half as many lie in the middle fifth as in that at an end. The
    book's prediction was about this measure.
    """
    nearest = _nearest(points, centres)[1][:, None]
    other = torch.cdist(centres, centres).fill_diagonal_(torch.inf).argmin(1)
    ways = centres[other] - centres
    # 0 at one centre, 1 at the other: (P, K), of which each centre's column has two clusters.
    place = (points @ ways.T - (centres * ways).sum(1)) / ways.square().sum(1)
    place[(nearest != torch.arange(len(centres))) & (nearest != other)] = torch.inf
    middle = ((place - 0.5).abs() < 0.1).sum(0)
    ends = ((place.abs() < 0.1) | ((place - 1).abs() < 0.1)).sum(0)
    return 4 * middle < ends.clamp_min(2)


def empty_share(points: Tensor, new: Tensor, places: Tensor) -> float:
    """Share of `places`, in %, that have no point as near as nearly every new patch has one.

    Near is within the distance that 99 % of `new`, other patches, have to their nearest of
    `points`; all are rows (P, d). For patches spread as evenly as the places it is about 1 %.
    """
    near = _nearest(new, points)[0].quantile(0.99)
    return 100 * (_nearest(places, points)[0] > near).double().mean().item()


def _nearest(points: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Distance from each point to the nearest of the others, and which that is.

    It is the one of the largest product less half its square: no distance is computed but one a
    point. Not all products are held at once.
    """
    halves = -others.square().sum(1) / 2
    found = [torch.addmm(halves, part, others.T).max(1) for part in points.split(200)]
    likeness = torch.cat([best.values for best in found])
    apart = (points.square().sum(1) - 2 * likeness).clamp_min(0).sqrt()
    return apart, torch.cat([best.indices for best in found])


def captured_share(centres: Tensor, new: Tensor) -> float:
    """Share, in %, of the squared length of new points (P, d) that their nearest centre keeps."""
    left = _nearest(new, centres.double())[0].square().mean()
    return 100 * (1 - left / new.square().sum(1).mean()).item()


def spread_holds(below_uniform: Interval, empty: Interval, captured: Interval) -> Outcome:
    """Claim 19 as the paper means it: dense and empty places, and centroids that cover them.

    Parameters
    ----------
    below_uniform : Interval
        Inertia of k-means below that on evenly spread points, in %.
    empty, captured : Interval
        Of `empty_share` and `captured_share`.
    """
    uneven = all_hold([above(below_uniform, LESS_INERTIA), above(empty, EMPTY)])
    return of_parts([uneven, above(captured, CAPTURED)])


def modes_hold(excess: Interval) -> Outcome:
    """Whether valleys divide centroids from their neighbours, beyond what a covariance makes.

    `excess` is the share of centroids with a valley, patches minus Gaussian, paired, in points.
    """
    return above(excess, VALLEYS)


def _on_sphere(rows: Tensor) -> Tensor:
    return normalize(rows, dim=1) * rows.shape[1] ** 0.5
