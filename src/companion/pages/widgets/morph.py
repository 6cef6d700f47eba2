"""A patch that morphs from one centroid to its neighbour, over the density on the way."""

import torch
from torch import Tensor

from ...argument.modes import between
from .drag import drag, packed, paragraph

PLACES = 33  # on the way, ends included: the middle is one of them
MOST = 27  # pairs, those with the deepest valleys first


def morph_html(
    centres: Tensor, points: Tensor, gaussian: Tensor, *, still: str, k: int = 20
) -> str:
    """The way from each centroid to its nearest neighbour, and how many points lie along it.

    The places, the radius and the valleys are those of `companion.argument.modes.between`, and a
    patch shown is the place itself.

    Parameters
    ----------
    centres : Tensor of shape (K, C, kh, kw)
        K >= 2, kh = kw and C = 1 or 3.
    points : Tensor of shape (P, d)
        Standardised patches, other than those the centres were found by; P >= k.
    gaussian : Tensor of shape (Q, d)
        What they are held against, on the same sphere. They are counted within the same radius,
        and their counts multiplied by P / Q.
    """
    other, places, radius, counts = between(centres.flatten(1), points, k=k, n_places=PLACES)
    share = len(points) / len(gaussian)
    like = [
        (share * (torch.cdist(way, gaussian.double()) <= r).sum(1)).tolist()
        for way, r in zip(places, radius, strict=True)
    ]
    middle = counts[:, PLACES // 2]
    pairs, seen = [], set()
    for i in middle.argsort(stable=True).tolist():
        pair = frozenset((i, int(other[i])))
        if pair not in seen:
            seen.add(pair)
            pairs.append([i, int(other[i]), counts[i].tolist(), [round(n, 1) for n in like[i]]])
    unit = centres.double() / centres.double().flatten(1).norm(dim=1)[:, None, None, None]
    data = {"k": k, "n": len(points), "pairs": pairs[:MOST], "bank": packed(unit[None], bits=16)}
    return drag("morph", "From one centroid to its neighbour", data, still=paragraph(still))
