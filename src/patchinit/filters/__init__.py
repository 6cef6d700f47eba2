"""Patches in, a bank of filters out: pure functions that write into no network.

Two banks are held against each other by `patchinit.filters.matching`, which brings scipy.
"""

from .bank import FilterBank, with_norm
from .baselines import (
    cosine_basis,
    glorot_uniform,
    kaiming_normal,
    random_orthonormal,
    random_patches,
)
from .clusters import Clusters, kmeans, kmedians, kmedoids
from .components import PrincipalComponents, fix_signs, pca_whitening, principal_components
from .measures import (
    cosine_distance,
    cosine_similarity,
    cosine_terms,
    effective_rank,
    overlaps,
    response_correlation,
    responses,
)
from .methods import MAX_PATCHES, METHODS, Method, make_filters, method_of

__all__ = [
    "MAX_PATCHES",
    "METHODS",
    "Clusters",
    "FilterBank",
    "Method",
    "PrincipalComponents",
    "cosine_basis",
    "cosine_distance",
    "cosine_similarity",
    "cosine_terms",
    "effective_rank",
    "fix_signs",
    "glorot_uniform",
    "kaiming_normal",
    "kmeans",
    "kmedians",
    "kmedoids",
    "make_filters",
    "method_of",
    "overlaps",
    "pca_whitening",
    "principal_components",
    "random_orthonormal",
    "random_patches",
    "response_correlation",
    "responses",
    "with_norm",
]
