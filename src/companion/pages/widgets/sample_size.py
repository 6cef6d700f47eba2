"""The components of samples of growing size, to choose by a slider."""

import torch
from torch import Tensor

from patchinit.filters.matching import match, principal_angles

from .drag import drag, packed, paragraph


def sample_size_html(
    reference: Tensor, samples: dict[int, list[Tensor]], *, leading: int, still: str
) -> str:
    """The components of samples of growing size, each beside its match among the reference's.

    `samples` has those of equally many samples at each number of images, all of the reference's
    shape (F, C, k, k). The angle is that between the spaces of the `leading` components.
    """
    counts = {len(banks) for banks in samples.values()}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"samples holds {sorted(counts)} banks at a size; give equally many")
    if not 1 <= leading <= len(reference):
        raise ValueError(f"leading={leading} should be between 1 and F = {len(reference)}")
    order, agreement, angles = [], [], []
    for banks in samples.values():
        matched = [match(bank, reference, signed=False) for bank in banks]
        order.append([places.tolist() for places, _ in matched])
        agreement.append([[round(c, 3) for c in cosines.tolist()] for _, cosines in matched])
        wide = [principal_angles(bank[:leading], reference[:leading])[0].item() for bank in banks]
        angles.append([round(angle, 2) for angle in wide])
    every = torch.stack([reference, *(bank for banks in samples.values() for bank in banks)])
    data = {
        "sizes": list(samples),
        "leading": leading,
        "angles": angles,
        "order": order,
        "agreement": agreement,
        "bank": packed(every, bits=8),
    }
    return drag("sample_size", "Components by sample size", data, still=paragraph(still))
