"""Mean and covariance of any number of patches, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .patches import CONSTANT_TOLERANCE, all_constant, as_pair, check_images, output_size


@dataclass(frozen=True, eq=False)
class PatchMoments:
    """First and second moments of patches. Float64; covariance is centred and divided by count."""

    count: int  #: patches that entered
    constant: int  #: patches left out because they were constant
    shape: tuple[int, int, int]  #: (C, kh, kw)
    mean: Tensor  #: (d,)
    covariance: Tensor  #: (d, d)

    @property
    def constant_share(self) -> float:
        """Share of all patches that were constant, 0 to 1."""
        return self.constant / (self.count + self.constant)


def patch_moments(
    images: Tensor | Iterable[Tensor],
    kernel_size: int | tuple[int, int],
    *,
    standardize: bool = True,
    stride: int = 1,
    dilation: int = 1,
    batch_size: int = 8,
) -> PatchMoments:
    """Mean and covariance of all patches of any number of images, in bounded memory.

    The patches are never held at once: a batch of images is unfolded, standardised and added up.
    The default batch keeps the unfolded values of 32x32 images in the processor's cache. All of it
    is in float64, so that processors and numbers of threads agree to about 1e-12 of the variance.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W), or an iterable of such tensors
    kernel_size : int or pair of int
    standardize : bool
        Standardise each patch and leave constant ones out, as `standardize_patches` does.
    batch_size : int
        Images unfolded at a time.

    Raises
    ------
    TypeError, ValueError
        As `extract_patches`; also when `standardize` is set and every patch is constant.
    """
    kernel_size = as_pair(kernel_size)
    batches = [images] if isinstance(images, Tensor) else images
    return moments_of_columns(
        _unfolded(batches, kernel_size, stride, dilation, batch_size),
        kernel_size,
        standardize=standardize,
    )


def _unfolded(batches, kernel_size, stride, dilation, batch_size) -> Iterator[Tensor]:
    """Patches of a batch of images at a time, (n, d, L), float64."""
    for batch in batches:
        if not isinstance(batch, Tensor) or batch.ndim != 4 or 0 in batch.shape:
            check_images(batch)  # says what is wrong
        output_size(batch, kernel_size, stride, dilation)
        for part in batch.split(batch_size):
            # Copied in any case: a 1x1 kernel's columns are the pixels themselves.
            pixels = check_images(part).to(torch.float64, copy=True)
            for axis, k in zip((2, 3), kernel_size, strict=True):
                pixels = pixels.unfold(axis, dilation * (k - 1) + 1, stride)
            windows = pixels[..., ::dilation, ::dilation].permute(
                0, 1, 4, 5, 2, 3
            )  # (n, C, kh, kw, rows, cols)
            # One copy; F.unfold takes up to three times as long in float64.
            yield windows.contiguous().flatten(4).flatten(1, 3)


def moments_of_columns(
    pieces: Iterable[Tensor], kernel_size: tuple[int, int], *, standardize: bool
) -> PatchMoments:
    """`PatchMoments` of patches as columns: float64 pieces (n, d, L), which are overwritten."""
    count = constant = 0
    products = None
    for columns in pieces:
        if standardize:
            constant += _standardize_columns_(columns)
        if products is None:
            d = columns.shape[1]
            # Moments about a point near the mean lose no digits to cancellation.
            shift = columns.new_zeros(d, 1) if standardize else columns.mean((0, 2))[:, None]
            total, products = columns.new_zeros(d), columns.new_zeros(d, d)
        if not standardize:
            columns -= shift
        total += columns.sum((0, 2))
        # addbmm adds up over the batch as it goes: bmm would hold a (d, d) matrix an image.
        products.addbmm_(columns, columns.transpose(1, 2))
        count += columns.shape[0] * columns.shape[2]
    if products is None:
        raise ValueError("images is empty: pass at least one image")
    used = count - constant
    if used == 0:
        raise ValueError(all_constant(count))
    offset = total / used
    covariance = products / used - torch.outer(offset, offset)
    shape = (d // (kernel_size[0] * kernel_size[1]), *kernel_size)
    return PatchMoments(used, constant, shape, offset + shift.flatten(), covariance)


def _standardize_columns_(columns: Tensor) -> int:
    """In place on (n, d, L): columns of mean 0 and standard deviation 1, constant ones zero.

    Counts the constant ones.
    """
    d = columns.shape[1]
    mean = columns.mean(1, keepdim=True)
    columns -= mean
    spread = columns.square().sum(
        1, keepdim=True
    )  # not vector_norm: 4 times as slow along this axis
    constant = spread <= CONSTANT_TOLERANCE**2 * (spread + d * mean.square())
    columns *= spread.div_(d).masked_fill_(constant, torch.inf).rsqrt_()
    return int(constant.sum())
