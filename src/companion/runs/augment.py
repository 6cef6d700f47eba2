"""Pixels as a network takes them: scaled, mirrored and moved."""

from __future__ import annotations

import torch
from torch import Tensor

MOVE = 4  # pixels that an augmented image is moved by at most, in each direction


def unit(images: Tensor) -> Tensor:
    """Images of uint8 as floats from 0 to 1; floats as they are.

    Examples
    --------
    >>> unit(torch.tensor([0, 51, 255], dtype=torch.uint8))
    tensor([0.0000, 0.2000, 1.0000])
    """
    return images.float().div_(255) if images.dtype == torch.uint8 else images


def augment(images: Tensor, moves: Tensor) -> Tensor:
    """Mirror and move images, filling with the edge's pixels mirrored.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W)
    moves : int64 Tensor of shape (N, 3)
        Mirrored (0 or 1), and the top and left of the crop (0 to 2 * MOVE) in the padded image.

    Returns
    -------
    Tensor of shape (N, C, H, W)

    Examples
    --------
    >>> image = torch.arange(36).reshape(1, 1, 6, 6)
    >>> moved = augment(image, torch.tensor([[1, MOVE, MOVE]]))  # mirrored, and not moved
    >>> moved[0, 0, 0].tolist()
    [5, 4, 3, 2, 1, 0]
    """
    n, channels, height, width = images.shape
    rows = moves[:, 1, None] + torch.arange(-MOVE, height - MOVE, device=images.device)  # (N, H)
    cols = moves[:, 2, None] + torch.arange(-MOVE, width - MOVE, device=images.device)  # (N, W)
    rows, cols = _reflect(rows, height), _reflect(cols, width)
    cols = torch.where(moves[:, :1] == 1, width - 1 - cols, cols)
    everything = torch.arange(n, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[everything, rows[:, :, None], cols[:, None, :]].permute(
        0, 3, 1, 2
    )


def _reflect(index: Tensor, size: int) -> Tensor:
    """Fold indices that run over the edge back into 0..size-1, without repeating the edge."""
    index = index.abs()
    return torch.where(index >= size, 2 * (size - 1) - index, index)
