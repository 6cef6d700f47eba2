"""The components of samples of growing size, to choose by a slider."""

from __future__ import annotations

import torch
from torch import Tensor

from patchinit.filters.matching import match, principal_angles

from .drag import drag, packed, paragraph

APP = """
<div class="time"><input type="range" min="0" step="1" autocomplete="off" \
aria-label="Images in the sample"><output aria-live="off"></output>
<button type="button" class="again">other images</button></div>
<div class="parts"><div class="pairs" role="img"></div>
<svg class="dial" role="img" viewBox="0 0 120 120"></svg></div>
<p>Above, the components of the sample; below each, the one of all images that it is matched with, \
and the magnitude of their cosine.</p>
<p class="summary" role="status"></p>"""


def sample_size_html(
    reference: Tensor,
    samples: dict[int, list[Tensor]],
    *,
    leading: int,
    still: str,
    uid: str = "sample-size",
) -> str:
    """The components of samples of growing size, each beside its match among the reference's.

    Parameters
    ----------
    reference : Tensor of shape (F, C, k, k)
        The components of all images; C = 1 or 3.
    samples : dict of int to list of Tensor of shape (F, C, k, k)
        By the number of images, for each of equally many samples its components.
    leading : int
        How many leading components span the spaces whose largest angle is shown, 1 to F.
    still, uid : str
        As for `window_html`.

    Raises
    ------
    ValueError
        Other numbers of samples at different sizes, or `leading` out of bounds.
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
    return drag(
        "sample_size", "Components by sample size", APP, data, still=paragraph(still), uid=uid
    )
