"""What a linear readout is given of many filters at once (chapter 4)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

AT_A_TIME = 10  # images whose maps stay in a processor's cache, with some hundred filters


@torch.no_grad()
def averaged_maps(filters: Tensor, images: Tensor, *, stride: int = 2, n: int = 4) -> Tensor:
    """Each filter's map behind batch normalisation and a ReLU, averaged over n x n windows.

    As by ``BatchNorm2d`` in training mode, without its epsilon, and ``adaptive_avg_pool2d``. The
    normalisation, whose moments follow from those of the patches, is written into the filters, so
    that no map is held but for a few images at a time.

    Parameters
    ----------
    filters : Tensor of shape (F, C, kh, kw)
        Whose responses vary.
    images : Tensor of shape (N, C, H, W), uint8
        Normalised together.

    Returns
    -------
    Tensor of shape (N, F, n * n)

    Examples
    --------
    >>> images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    >>> averaged_maps(torch.eye(27).reshape(27, 3, 3, 3), images).shape
    torch.Size([5, 27, 16])
    """
    pixels, flat = images.float() / 255, filters.flatten(1).double()
    for axis, k in zip((2, 3), filters.shape[2:], strict=True):
        pixels = pixels.unfold(axis, k, stride)  # in the end (N, C, rows, cols, kh, kw)
    places = pixels.shape[2:4]
    patches = pixels.permute(1, 4, 5, 0, 2, 3).reshape(flat.shape[1], -1)  # (d, N * places)
    mean = patches.mean(1, keepdim=True)
    centred = (patches - mean).double()
    covariance = centred @ centred.T / centred.shape[1]
    scaled = (flat * ((flat @ covariance) * flat).sum(1, keepdim=True).rsqrt()).float()
    bias = -(scaled @ mean)
    windows = torch.eye(places.numel()).reshape(-1, *places)
    windows = adaptive_avg_pool2d(windows, n).flatten(1)  # (places, n * n)
    means = [
        torch.addmm(bias, scaled, part).relu_().reshape(-1, len(windows)) @ windows
        for part in patches.split(AT_A_TIME * len(windows), 1)
    ]
    return torch.cat([part.reshape(len(flat), -1, n * n) for part in means], 1).transpose(0, 1)
