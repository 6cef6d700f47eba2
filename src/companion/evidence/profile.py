"""What a bank is made of: its energy over the patches' components, its cosine waves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from patchinit.filters.measures import cosine_terms

from .arms import Arm


def energy_profile(filters: Tensor, covariance: Tensor) -> Tensor:
    """Share of a bank's energy along each principal component of the patches, (d,) float64.

    From filters (F, C, kh, kw), which count alike whatever their norm, and the covariance (d, d) of
    raw patches; largest variance first, sums to 1. Filters of independent weights have 1 / d
    everywhere, and so has every complete orthonormal bank.

    References
    ----------
    Chowers and Weiss (2023), "What do CNNs learn in the first layer and why?".
    """
    flat = torch.nn.functional.normalize(filters.flatten(1).double(), dim=1)
    if covariance.shape != (flat.shape[1],) * 2:
        raise ValueError(
            f"covariance has shape {tuple(covariance.shape)}; filters of {flat.shape[1]} weights "
            "need a square"
        )
    _, axes = torch.linalg.eigh(covariance.double())
    return (flat @ axes.flip(1)).square().mean(0)


def apart(profiles: Sequence[np.ndarray | Tensor]) -> float:
    """Mean over all pairs of profiles of half the summed differences, 0 (all the same) to 1."""
    table = np.stack([np.asarray(profile) for profile in profiles])
    if len(table) < 2:
        raise ValueError(f"profiles={len(table)} should be at least 2, to lie apart")
    rows, columns = np.triu_indices(len(table), 1)
    return float(np.abs(table[rows] - table[columns]).sum(axis=1).mean() / 2)


def mean_terms(arm: Arm, index: int) -> np.ndarray:
    """(S,), mean `cosine_terms` of the first layer at the start (index 0) or the end (-1)."""
    return np.array(
        [cosine_terms(torch.from_numpy(r.filters[index])).mean().item() for r in arm.results]
    )
