"""Is k-medoids more robust than k-means (claim 22)? It depends on what the outliers are.

Patches are raw, (P, C, kh, kw) with values from 0 to 1; a share of them is replaced by outliers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from patchinit.filters import responses
from patchinit.patches import standardize_patches

from ..intervals import Interval
from .agreement import Outcome, matched_agreement

NO_GAIN = 0.02  #: of the matched cosine; a gain that is smaller for certain is none


def noise(shape: tuple[int, ...], *, generator: torch.Generator | None = None) -> Tensor:
    """Every value for itself, uniform: after standardising, outliers in all directions."""
    return torch.rand(shape, generator=generator)


def grey_noise(shape: tuple[int, ...], *, generator: torch.Generator | None = None) -> Tensor:
    """Every pixel for itself, its channels alike: outliers in a few directions."""
    return torch.rand((shape[0], 1, *shape[2:]), generator=generator).expand(shape)


def checkerboards(shape: tuple[int, ...], *, generator: torch.Generator | None = None) -> Tensor:
    """Nearly the same checkerboard each time: outliers in one place."""
    board = (torch.arange(shape[2])[:, None] + torch.arange(shape[3])) % 2
    return board + 0.02 * torch.rand(shape, generator=generator)


#: By what they are called, how outliers are made of a shape.
OUTLIERS: dict[str, Callable[..., Tensor]] = {
    "noise": noise, "grey noise": grey_noise, "checkerboards": checkerboards,
}  # fmt: skip


def with_outliers(clean: Tensor, outliers: Tensor, share: float) -> Tensor:
    """Patches of which the first `share`, 0 to 1, are replaced by as many outliers."""
    n_out = round(share * len(clean))
    return torch.cat([outliers[:n_out], clean[n_out:]])


def disturbed(
    cluster: Callable[[Tensor], Tensor], clean: Tensor, mixtures: Mapping[str, Tensor]
) -> dict[str, tuple[float, float]]:
    """What outliers do to the filters of one clustering, and what its own variation does.

    Parameters
    ----------
    cluster : callable
        From patches to filters (F, C, kh, kw), with a new seed at each call.
    clean : Tensor of shape (P, C, kh, kw)
    mixtures : mapping
        By name, the clean patches with outliers among them.

    Returns
    -------
    dict
        By name, two cosines: of the filters matched with those of a clean run, and of the clean
        patches with their most similar filter. Under ``""`` the mean over two more clean runs.
    """
    judge = standardize_patches(clean).patches.double()
    judge = judge / judge[0].numel() ** 0.5
    first = cluster(clean)

    def cosines(filters: Tensor) -> tuple[float, float]:
        best = responses(filters.double(), judge).max(0).values.mean().item()
        return matched_agreement(first, filters).mean, best

    one, two = cosines(cluster(clean)), cosines(cluster(clean))
    own = ((one[0] + two[0]) / 2, (one[1] + two[1]) / 2)
    return {"": own} | {name: cosines(cluster(mixed)) for name, mixed in mixtures.items()}


def robust_holds(advantage: Interval) -> Outcome:
    """Whether k-medoids keep more of the cosine: above zero, below 0.02 for certain, or open.

    `advantage` is what k-means lost to outliers beyond its own variation, minus the same of
    k-medoids, paired by patches.
    """
    return True if advantage.low > 0 else False if advantage.high < NO_GAIN else None
