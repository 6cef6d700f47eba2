"""An image rebuilt from the first m filters of several banks."""

import torch
from torch import Tensor

from .drag import drag, packed, paragraph
from .fragment import as_base64

MOST = 48  # pixels each way, cut out of the image's middle


def rebuilt_html(image: Tensor, banks: dict[str, Tensor], points: Tensor, *, still: str) -> str:
    """An image rebuilt from the first 1, 2, ... filters of each bank, side by side.

    Each patch is standardised, then each value by the mean and deviation of `points`, as for the
    paper's components; the patch is projected on the filters, all of that is undone, and patches
    that overlap are averaged. Beside it stands the share of the points' variance that is kept.

    Parameters
    ----------
    image : Tensor of shape (C, H, W)
        uint8, or floats from 0 to 1; C = 1 or 3. The middle 48 x 48 pixels are taken.
    banks : dict of str to Tensor of shape (F, C, k, k)
        Orthogonal filters, in the order in which they are kept, of one shape.
    points : Tensor of shape (P, C * k * k)
        Standardised patches.
    """
    channels, height, width = image.shape
    shapes = {tuple(bank.shape) for bank in banks.values()}
    shape = next(iter(shapes), ())
    if channels not in (1, 3) or len(shapes) != 1 or shape[1:] != (channels, *2 * shape[3:]):
        raise ValueError(
            f"banks have shapes {sorted(shapes)}, the image {tuple(image.shape)}; one shape "
            "(F, C, k, k) and C = 1 or 3 are wanted"
        )
    points = points.double()
    centre, scale = points.mean(0), points.std(0, correction=0)
    scale[scale == 0] = 1.0
    features = (points - centre) / scale
    covariance = features.T @ features / len(features)
    unit = torch.stack([bank.double().flatten(1) for bank in banks.values()])
    unit = unit / unit.norm(dim=2, keepdim=True)
    kept = 100 * torch.einsum("bfd,de,bfe->bf", unit, covariance, unit).cumsum(1)
    kept = kept / covariance.trace()
    top, left = (max(0, side - MOST) // 2 for side in (height, width))
    image = image[:, top : top + MOST, left : left + MOST]
    levels = image if image.dtype == torch.uint8 else (image * 255).round()
    data = {
        "shape": list(image.shape),
        "image": as_base64(levels.numpy(), "u1"),
        "side": shape[3],
        "centre": [float(f"{value:.6g}") for value in centre.tolist()],
        "scale": [float(f"{value:.6g}") for value in scale.tolist()],
        "names": list(banks),
        "bank": packed(unit, bits=16),
        "kept": [[round(share, 2) for share in row] for row in kept.tolist()],
    }
    return drag("rebuilt", "An image rebuilt from few filters", data, still=paragraph(still))
