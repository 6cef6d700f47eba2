"""An epoch's batches: which images, how each is mirrored and moved, and with which labels."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from patchinit.data.images import Images

from .settings import Settings

MOVE = 4  # pixels that an augmented image is moved by at most, in each direction
Batch = tuple[Tensor, Tensor, Tensor]  # indices (n,), moves (n, 3) or (n, 0), labels (n,)


class Batches:
    """Training images on a device as uint8, and the batches that an epoch takes of them.

    The random numbers depend on the settings' seed and the epoch alone and are drawn on the CPU,
    so the order of the images is the same on every device. With few labels an epoch goes over the
    labelled images again and again: the steps stay as many.
    """

    def __init__(self, train_set: Images, settings: Settings, device: torch.device):
        self.settings, self.device = settings, device
        self.n_classes, self.n = len(train_set.classes), len(train_set)  # n images an epoch
        if settings.label_share < 1:
            n_labelled = max(2, round(settings.label_share * len(train_set)))
            train_set = train_set.sample(n_labelled, generator=settings.generator("labels"))
        if len(train_set) < 2:
            raise ValueError(f"train_set has {len(train_set)} images; at least 2 are needed")
        self.images, self.labels = train_set.images.to(device), train_set.labels.to(device)

    def draw(self, epoch: int) -> Batch:
        """Indices of the epoch's images in order, how each is mirrored and moved, and its label."""
        generator, n = self.settings.generator("order", epoch), self.n
        passes = [
            torch.randperm(len(self.images), generator=generator)
            for _ in range(math.ceil(n / len(self.images)))
        ]
        moves = torch.zeros(n, 0, dtype=torch.int64)
        if self.settings.augmentation == "flip_crop":
            mirrored = torch.randint(2, (n, 1), generator=generator)
            moves = torch.cat(
                [mirrored, torch.randint(2 * MOVE + 1, (n, 2), generator=generator)], dim=1
            )
        order = torch.cat(passes)[:n].to(self.device)
        labels = self.labels[order]
        if self.settings.labels == "redrawn":
            noise = self.settings.generator("redrawn labels", epoch)
            labels = torch.randint(self.n_classes, (n,), generator=noise).to(self.device)
        return order, moves.to(self.device), labels

    def of_epoch(self, epoch: int) -> Iterator[Batch]:
        """All batches of an epoch but one of a single image.

        Batch normalisation has no variance to divide that by.
        """
        parts = (part.split(self.settings.batch_size) for part in self.draw(epoch))
        for batch in zip(*parts, strict=True):
            if len(batch[0]) >= 2:
                yield batch

    def pixels(self, indices: Tensor, moves: Tensor) -> Tensor:
        """Images as a network takes them, floats from 0 to 1."""
        images = self.images[indices]
        return unit(augment(images, moves) if moves.shape[1] else images)


def unit(images: Tensor) -> Tensor:
    """Images of uint8 as floats from 0 to 1; floats as they are."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images


def augment(images: Tensor, moves: Tensor) -> Tensor:
    """Mirror and move images (N, C, H, W), filling with the edge's pixels mirrored.

    Of `moves` (N, 3) each row has whether to mirror (0 or 1), and the top and left of the crop in
    the padded image (0 to 2 * MOVE).
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
