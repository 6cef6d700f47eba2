"""Filters from clusters of patches: k-means centroids, k-medoids, k-medians (the paper's section 3.3).

The patches are standardised one by one first (constant ones left out), so that every point has
norm sqrt(d) and clusters are about pattern, not about brightness or contrast.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import kmedoids as _kmedoids
import numpy as np
import torch
from sklearn.cluster import KMeans, kmeans_plusplus
from torch import Tensor

from .filters import FilterBank, check_n_filters, with_norm
from .patches import standardize_patches


@dataclass(frozen=True, eq=False)
class Clusters(FilterBank):
    """A filter bank of cluster centres, largest cluster first, and how the clustering went."""

    inertia: float  #: the objective that the function names, summed over the patches
    shares: Tensor  #: (F,), share of the patches in each cluster, decreasing, sum 1
    n_iter: int
    converged: bool
    n_patches: int  #: patches that were clustered
    constant_share: float  #: share of all patches left out as constant, 0 to 1


def kmeans(
    patches: Tensor,
    n_filters: int,
    *,
    n_init: int = 1,
    max_iter: int = 300,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Clusters:
    """Centroids of k-means clusters of standardised patches (scikit-learn's Lloyd iterations).

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw)
        Raw patches. Time grows with P; for many images take `sample_patches`.
    n_filters : int
        Number of clusters, at most the number of patches that are not constant.
    n_init : int
        Restarts from new k-means++ seeds; the clustering of least inertia is kept.
    max_iter : int
        Cap on the iterations; a RuntimeWarning tells when it was reached.
    norm : float or None
        Norm of each filter. None: the centroid as it is, at most sqrt(d), and the smaller the more
        its patches differ in direction.
    generator : torch.Generator, optional

    Returns
    -------
    Clusters
        ``filters`` of shape (n_filters, C, kh, kw), each of mean zero; ``inertia`` is the sum of
        squared distances to the nearest centroid.

    References
    ----------
    Lloyd (1982); Arthur and Vassilvitskii (2007); Coates and Ng (2012).
    """
    points, shape, constant_share = _points(patches, n_filters)
    fit = KMeans(n_filters, n_init=n_init, max_iter=max_iter, random_state=_seed(generator)).fit(points)
    return _clusters(
        "kmeans", fit.cluster_centers_, fit.labels_, shape, norm,
        fit.inertia_, fit.n_iter_, fit.n_iter_ < max_iter, constant_share,
    )  # fmt: skip


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

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw)
        Raw patches.
    n_filters : int
    max_patches : int
        Memory and time grow with the square of the number of patches clustered, so at most this
        many are, drawn uniformly (3,000: 36 MB of distances).
    max_iter, norm, generator
        As for `kmeans`. Natural norm (``norm=None``): sqrt(d), that of a standardised patch.

    Returns
    -------
    Clusters
        ``inertia`` is the sum of Euclidean distances to the nearest medoid, over ``n_patches``.

    References
    ----------
    Kaufman and Rousseeuw (1990); Schubert and Rousseeuw (2021), "Fast and eager k-medoids clustering".
    """
    if max_patches < n_filters:
        raise ValueError(f"max_patches={max_patches} should be >= n_filters={n_filters}")
    points, shape, constant_share = _points(patches, n_filters)
    if len(points) > max_patches:
        points = points[torch.randperm(len(points), generator=generator)[:max_patches].numpy()]
    distances = torch.cdist(torch.from_numpy(points), torch.from_numpy(points)).numpy()
    fit = _kmedoids.fasterpam(
        distances, n_filters, max_iter=max_iter, init="random", random_state=_seed(generator), n_cpu=1
    )
    return _clusters(
        "kmedoids", points[fit.medoids], fit.labels, shape, norm,
        fit.loss, fit.n_iter, fit.n_iter < max_iter, constant_share,
    )  # fmt: skip


def kmedians(
    patches: Tensor,
    n_filters: int,
    *,
    max_iter: int = 100,
    tol: float = 1e-4,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Clusters:
    """Coordinate-wise medians of clusters of standardised patches: Lloyd's iterations under the L1 distance.

    What the paper's words "the median instead of the mean of the cluster" describe; unlike a
    medoid, such a median is no patch of the data, and its mean is not exactly zero.

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

    References
    ----------
    Bradley, Mangasarian and Street (1997), "Clustering via concave minimization".
    """
    if max_iter < 1:
        raise ValueError(f"max_iter={max_iter} should be >= 1")
    points, shape, constant_share = _points(patches, n_filters)
    centres = torch.from_numpy(kmeans_plusplus(points, n_filters, random_state=_seed(generator))[0])
    points = torch.from_numpy(points)
    inertia, converged, n_iter = float("inf"), False, 0
    while n_iter < max_iter:
        n_iter += 1
        nearest, labels = torch.cdist(points, centres, p=1).min(1)
        before, inertia = inertia, nearest.double().sum().item()
        converged = before - inertia <= tol * inertia
        if converged:
            break
        for k in range(n_filters):
            members = points[labels == k]
            # An empty cluster starts again from the patch that is served worst.
            centres[k] = members.median(0).values if len(members) else points[nearest.argmax()]
    return _clusters(
        "kmedians", centres.numpy(), labels.numpy(), shape, norm,
        inertia, n_iter, converged, constant_share,
    )  # fmt: skip


def _points(patches: Tensor, n_filters: int) -> tuple[np.ndarray, tuple[int, int, int], float]:
    """Standardised patches as rows (P', d) float32, the shape of a patch, the share of constant ones."""
    standardized = standardize_patches(patches)
    check_n_filters(n_filters, len(standardized.patches), "the patches that are not constant", "pass more images")
    rows = standardized.patches.float().flatten(1).numpy()
    return rows, tuple(patches.shape[1:]), standardized.constant_share


def _seed(generator: torch.Generator | None) -> int:
    """A seed for a library that takes an integer, drawn from the generator."""
    return int(torch.randint(2**31 - 1, (1,), generator=generator))


def _clusters(method, centres, labels, shape, norm, inertia, n_iter, converged, constant_share) -> Clusters:
    """Order by size, rescale, and warn if the iterations ran out."""
    if not converged:
        warnings.warn(
            f"{method} stopped at max_iter={n_iter} before it converged; raise max_iter or pass fewer patches",
            RuntimeWarning,
            stacklevel=3,
        )
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=len(centres))
    order = np.argsort(-counts, kind="stable")
    filters = torch.from_numpy(np.ascontiguousarray(centres[order], dtype=np.float32)).reshape(-1, *shape)
    shares = torch.from_numpy(counts[order] / counts.sum())
    return Clusters(
        with_norm(filters, norm), method, float(inertia), shares,
        int(n_iter), bool(converged), len(labels), constant_share,
    )  # fmt: skip
