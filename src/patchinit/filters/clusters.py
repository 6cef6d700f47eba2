"""Filters from clusters of patches: k-means, k-medoids, k-medians (the paper's section 3.3).

The patches are standardised one by one first (constant ones left out), so that every point has
norm sqrt(d) and clusters are about pattern, not about brightness or contrast.

The same patches and the same generator give the same clusters on every processor and number of
threads: equal labels, counts, order and iterations, and filters up to rounding in float32. So
everything is decided in float64 (for k-means see `lloyd`) and in general position (`_moved`), and
clusters of equal size stay in the order of their seeds. Not covered are fewer distinct patches than
clusters, where some centres coincide, and patches that themselves differ in their last bits (a
network's feature maps).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from ..patches import (
    as_integer,
    check_contrast,
    check_generator,
    check_images,
    plain_arithmetic,
    standardized_blocks,
)
from .bank import FilterBank, check_patches_suffice, with_norm
from .lloyd import Points, lloyd

# Each value of a point is moved by at most this: far above the rounding of float64 distances
# (1e-14), below what a float32 filter of norm 1 can show.
JITTER = 1e-8


@dataclass(frozen=True, eq=False)
class Clusters(FilterBank):
    """A filter bank of cluster centres, and how the clustering went.

    Largest cluster first; among equally large ones, the one whose seed was drawn first.

    Examples
    --------
    >>> bank = kmeans(torch.rand(200, 1, 3, 3), 4)
    >>> len(bank), bank.n_patches, round(bank.shares.sum().item(), 6)
    (4, 200, 1.0)
    """

    inertia: float  #: the objective that the function names, summed over the patches
    shares: Tensor  #: (F,), share of the patches in each cluster, decreasing, sum 1
    n_iter: int
    converged: bool
    n_patches: int  #: patches that were clustered
    constant_share: float  #: share of all patches left out as constant, 0 to 1


@plain_arithmetic(gradients=False)
def kmeans(
    patches: Tensor,
    n_filters: int,
    *,
    n_init: int = 1,
    max_iter: int = 1000,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Clusters:
    """Centroids of k-means clusters of standardised patches (scikit-learn's Lloyd iterations).

    Lloyd (1982); Arthur and Vassilvitskii (2007); for patches Coates and Ng (2012).

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw)
        Raw patches, uint8 or any floating point, on any device; of many images, `sample_patches`.
    n_filters : int
        Number of clusters, at most the number of different patches, constant ones and differences
        in brightness and contrast put aside.
    n_init : int
        Restarts from new k-means++ seeds; the clustering of least inertia is kept.
    max_iter : int
        Cap on the iterations; with a RuntimeWarning when it is reached.
    norm : float or None
        Norm of each filter. None: the centroid as it is, at most sqrt(d), and the smaller the more
        its patches differ in direction.
    generator : torch.Generator, optional

    Returns
    -------
    Clusters
        ``filters`` of shape (n_filters, C, kh, kw), each of mean zero; ``inertia`` is the sum of
        squared distances to the nearest centroid.

    Raises
    ------
    TypeError, ValueError
        Fewer different patches than filters, n_init or max_iter below 1; what
        `standardize_patches` refuses.

    Examples
    --------
    >>> columns, rows = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]
    >>> patches = torch.tensor([[columns], [columns], [rows]])
    >>> kmeans(patches, 2).filters.flatten(1).round(decimals=3)
    tensor([[ 0.5000, -0.5000,  0.5000, -0.5000],
            [ 0.5000,  0.5000, -0.5000, -0.5000]])
    """
    check_generator(generator)
    n_init, max_iter = as_integer("n_init", n_init), as_integer("max_iter", max_iter)
    points, shape, constant_share, n_filters = _points(patches, n_filters)
    fit = lloyd(points, n_filters, n_init=n_init, max_iter=max_iter, seed=_seed(generator))
    return _bank(
        "kmeans", fit.centres, fit.labels, shape, norm, inertia=fit.inertia,
        n_iter=fit.n_iter, converged=fit.n_iter < max_iter, constant_share=constant_share,
    )  # fmt: skip


@plain_arithmetic(gradients=False)
def kmedoids(
    patches: Tensor,
    n_filters: int,
    *,
    max_patches: int = 3000,
    max_iter: int = 100,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Clusters:
    """Medoids of standardised patches by FasterPAM: each filter is a real patch.

    Kaufman and Rousseeuw (1990); Schubert and Rousseeuw (2021), "Fast and eager k-medoids
    clustering". Raises as `kmeans` does, and ImportError without the package kmedoids.

    Parameters
    ----------
    patches, n_filters
        As for `kmeans`.
    max_patches : int
        At most this many are clustered, drawn uniformly: memory and time grow with their square.
        At least n_filters.
    max_iter, norm, generator
        As for `kmeans`. Natural norm (``norm=None``): sqrt(d), that of a standardised patch.

    Returns
    -------
    Clusters
        ``inertia`` is the sum of Euclidean distances to the nearest medoid, over ``n_patches``.

    Examples
    --------
    >>> bank = kmedoids(torch.rand(200, 1, 3, 3), 4, norm=None)  # each filter is a patch
    >>> bank.filters.flatten(1).norm(dim=1).round(decimals=3)
    tensor([3., 3., 3., 3.])
    """
    try:
        import kmedoids as package  # here, so that a machine without it can do all else
    except ImportError as error:
        text = "k-medoids need a package that is not here: pip install kmedoids"
        raise ImportError(text) from error
    check_generator(generator)
    max_iter = as_integer("max_iter", max_iter)
    if as_integer("max_patches", max_patches) < n_filters:
        raise ValueError(f"max_patches={max_patches} should be >= n_filters={n_filters}")
    points, shape, constant_share, n_filters = _rows(patches, n_filters)
    if len(points) > max_patches:
        points = points[torch.randperm(len(points), generator=generator)[:max_patches].numpy()]
    rows = torch.from_numpy(points)
    # Not by a matrix product, whose cancellation costs half of the digits where patches are close.
    distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    fit = package.fasterpam(
        distances, n_filters, max_iter=max_iter, init="random",
        random_state=_seed(generator), n_cpu=1,
    )  # fmt: skip
    return _bank(
        "kmedoids", points[fit.medoids], fit.labels, shape, norm, inertia=fit.loss,
        n_iter=fit.n_iter, converged=fit.n_iter < max_iter, constant_share=constant_share,
    )  # fmt: skip


@plain_arithmetic(gradients=False)
def kmedians(
    patches: Tensor,
    n_filters: int,
    *,
    max_iter: int = 100,
    tol: float = 1e-4,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Clusters:
    """Coordinate-wise medians of clusters of standardised patches: Lloyd's under the L1 distance.

    The paper's "the median instead of the mean of the cluster". Unlike a medoid such a median is no
    patch of the data, and its mean is not exactly zero. Bradley, Mangasarian and Street (1997),
    "Clustering via concave minimization". Raises as `kmeans` does, and for max_iter below 1.

    Parameters
    ----------
    patches, n_filters, max_iter, norm, generator
        As for `kmeans`.
    tol : float
        Stop once an iteration lowers the inertia by less than this share.

    Returns
    -------
    Clusters
        ``inertia`` is the sum of L1 distances to the nearest median.

    Examples
    --------
    >>> columns, rows = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]
    >>> bank = kmedians(torch.tensor([[columns], [columns], [rows]]), 2)
    >>> bank.shares.round(decimals=2).tolist(), round(bank.inertia, 5)
    ([0.67, 0.33], 0.0)
    """
    from sklearn.cluster import kmeans_plusplus

    check_generator(generator)
    max_iter = as_integer("max_iter", max_iter)
    if not (isinstance(tol, Real) and 0 <= tol < float("inf")):
        raise ValueError(f"tol={tol!r} should be a finite number >= 0")
    points, shape, constant_share, n_filters = _rows(patches, n_filters)
    seeds, _ = kmeans_plusplus(points, n_filters, random_state=_seed(generator))
    rows, centres = torch.from_numpy(points), torch.from_numpy(seeds)
    labels = torch.empty(0, dtype=torch.int64)
    inertia, converged, n_iter = float("inf"), False, 0
    while n_iter < max_iter and not converged:
        n_iter += 1
        former, (nearest, labels) = labels, torch.cdist(rows, centres, p=1).min(1)
        before, inertia = inertia, nearest.sum().item()
        # Equal labels end it whatever the last bit of the sum is, for which tol=0 would wait.
        converged = before - inertia <= tol * inertia or torch.equal(former, labels)
        if not converged:
            for k in range(n_filters):
                members = rows[labels == k]
                # An empty cluster starts again from the patch that is served worst.
                centres[k] = members.median(0).values if len(members) else rows[nearest.argmax()]
    return _bank(
        "kmedians", centres.numpy(), labels.numpy(), shape, norm, inertia=inertia,
        n_iter=n_iter, converged=converged, constant_share=constant_share,
    )  # fmt: skip


def _points(patches: Tensor, n_filters: int) -> tuple[Points, tuple[int, int, int], float, int]:
    """Standardised patches as points, a patch's shape, the share of constant ones, n_filters."""
    n_patches, channels, height, width = check_images(patches).shape
    points = Points(_moved(patches), n_patches, channels * height * width)
    check_contrast(len(points), n_patches)
    n_filters = check_patches_suffice(n_filters, torch.from_numpy(points.high))
    constant_share = (n_patches - len(points)) / n_patches
    return points, (channels, height, width), constant_share, n_filters


def _rows(patches: Tensor, n_filters: int) -> tuple[np.ndarray, tuple[int, int, int], float, int]:
    """`_points` in float64, (P', d)."""
    n_patches, channels, height, width = check_images(patches).shape
    rows = np.concatenate(list(_moved(patches)))
    check_contrast(len(rows), n_patches)
    n_filters = check_patches_suffice(n_filters, torch.from_numpy(rows))
    return rows, (channels, height, width), (n_patches - len(rows)) / n_patches, n_filters


def _moved(patches: Tensor) -> Iterator[np.ndarray]:
    """Standardised patches, moved by the same tiny amounts on every machine.

    Patches of few grey values, or of mirrored images, are often as far from one centre as from
    another, and a last bit would choose.
    """
    moves = np.random.default_rng(0)
    for rows in standardized_blocks(patches):
        yield rows.cpu().numpy() + JITTER * (2 * moves.random(rows.shape) - 1)


def _seed(generator: torch.Generator | None) -> int:
    """A seed for a library that takes an integer, drawn from the generator."""
    return int(torch.randint(2**31 - 1, (1,), generator=generator))


def _bank(
    method: str,
    centres: np.ndarray,
    labels: np.ndarray,
    shape: tuple[int, int, int],
    norm: float | None,
    *,
    inertia: float,
    n_iter: int,
    converged: bool,
    constant_share: float,
) -> Clusters:
    """Centres (F, d) and labels (P',) as filters by size; warns if the iterations ran out."""
    if not converged:
        way_out = "raise max_iter or pass fewer patches"
        text = f"{method} stopped at max_iter={n_iter} before it converged; {way_out}"
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    counts = np.bincount(labels.astype(np.int64), minlength=len(centres))
    # Integers: equal ones stay in the order of their seeds.
    order = np.argsort(-counts, kind="stable")
    filters = torch.from_numpy(centres[order].astype(np.float32)).reshape(-1, *shape)
    return Clusters(
        with_norm(filters, norm), method,
        inertia=float(inertia), shares=torch.from_numpy(counts[order] / counts.sum()),
        n_iter=int(n_iter), converged=bool(converged),
        n_patches=len(labels), constant_share=constant_share,
    )  # fmt: skip
