"""How much of the components' look follows from symmetry, and how much is left to the images."""

from __future__ import annotations

import torch
from torch import Tensor

from patchinit.filters.baselines import cosines

#: Of red, green and blue: their cosine transform, lightness first.
COLOURS = [[1.0, 1, 1], [1, 0, -1], [1, -2, 1]]


def wave_products(channels: int, *, spot_and_saddle: bool = False) -> Tensor:
    """The 9 * C products of cosine waves down, across and over the colours, (9 * C, C, 3, 3).

    Parameters
    ----------
    channels : int
        1, or 3 for colours too.
    spot_and_saddle : bool
        Replace the two bent waves, down and across, by their sum (a spot) and their difference (a
        saddle): what they mix to where rows and columns are alike.
    """
    waves = cosines(3)
    light = torch.einsum("ui,vj->uvij", waves, waves).reshape(9, 3, 3)
    if spot_and_saddle:
        across, down = light[2].clone(), light[6].clone()
        light[2], light[6] = (down + across) / 2**0.5, (down - across) / 2**0.5
    colours = torch.tensor(COLOURS if channels == 3 else [[1.0]], dtype=torch.float64)
    colours = colours / colours.norm(dim=1, keepdim=True)
    return torch.einsum("ac,pij->apcij", colours, light).reshape(-1, channels, 3, 3)


def symmetrized(covariance: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """A covariance (d, d) of patches (C, kh, kw), averaged over mirrors and without the mean.

    Left is exchanged with right, top with bottom, and the first channel with the last; then each
    patch loses its mean.
    """
    found = covariance.double().reshape(*shape, *shape)
    for axis in range(3):
        found = (found + found.flip(axis, axis + 3)) / 2
    found = found.reshape(covariance.shape)
    centred = torch.eye(len(found), dtype=torch.float64) - 1 / len(found)
    return centred @ found @ centred


def chance_covariance(shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """A covariance (d, d) without any sense: of 2 * d patches of numbers drawn at random.

    >>> chance_covariance((1, 3, 3), generator=torch.Generator().manual_seed(0)).shape
    torch.Size([9, 9])
    """
    d = shape[0] * shape[1] * shape[2]
    drawn = torch.randn(2 * d, d, generator=generator, dtype=torch.float64)
    return drawn.T @ drawn / len(drawn)
