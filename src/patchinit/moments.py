"""Mean and covariance of any number of patches, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .patches import (
    CONSTANT_TOLERANCE,
    VALUES_AT_A_TIME,
    as_float,
    as_integer,
    as_pair,
    as_steps,
    check_contrast,
    check_images,
    constant_tolerance,
    output_size,
    plain_arithmetic,
    warn_of_rounding,
)

# Values in a channel of a kernel from which on `_large` takes over.
LARGE = 25
# Values that it works on at a time: 2 MB.
LARGE_AT_A_TIME = 2**18


@dataclass(frozen=True, eq=False)
class PatchMoments:
    """First and second moments of patches. Float64; covariance is centred and divided by count.

    Examples
    --------
    >>> images = torch.rand(2, 1, 8, 8)
    >>> images[0] = 0.5
    >>> patch_moments(images, 3).constant_share
    0.5
    """

    count: int  #: patches that entered
    constant: int  #: patches left out because they were constant
    shape: tuple[int, int, int]  #: (C, kh, kw)
    mean: Tensor  #: (d,)
    covariance: Tensor  #: (d, d)

    @property
    def constant_share(self) -> float:
        """Share of all patches that were constant, 0 to 1."""
        return self.constant / (self.count + self.constant)


@plain_arithmetic(gradients=False)
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

    Some images, or a band of one, are unfolded, standardised and added up at a time. Beside the
    images that takes about 300 MB, and some (d, d) matrices. All of it is in float64, so that
    processors and numbers of threads agree to about 1e-12 of the variance. Raises as
    `extract_patches` does, and if every patch is constant where they are standardised.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W), or an iterable of such tensors
        As for `extract_patches`; the moments are on the same device.
    kernel_size : int or pair of int
        (kh, kw), each at least 1.
    standardize : bool
        Standardise each patch and leave constant ones out, as `standardize_patches` does.
    stride, dilation : int
        As in ``conv2d``.
    batch_size : int
        Images unfolded at a time, at most. The default keeps those of 32x32 in the cache.

    Examples
    --------
    >>> moments = patch_moments(torch.rand(10, 3, 32, 32), 3)
    >>> moments.count, moments.covariance.shape
    (9000, torch.Size([27, 27]))
    """
    size, batch_size = as_pair(kernel_size), as_integer("batch_size", batch_size)
    batches = [images] if isinstance(images, Tensor) else images
    checked = (check_images(batch) for batch in batches)
    return moments_of(
        checked, size, standardize=standardize,
        stride=stride, dilation=dilation, batch_size=batch_size,
    )  # fmt: skip


def moments_of(
    batches: Iterable[Tensor],
    size: tuple[int, int],
    *,
    standardize: bool,
    stride: int = 1,
    dilation: int = 1,
    batch_size: int = 8,
) -> PatchMoments:
    """`patch_moments` of batches of checked images."""
    stride, dilation = as_steps(stride, dilation)
    count = constant = lost = 0
    products = spare = None
    for pixels, tolerance in _pieces(batches, size, stride, dilation, batch_size):
        large = _is_large(size, pixels.device, tolerance)
        if large:
            columns, n_constant = _large(pixels, size, stride, dilation, standardize)
            constant += n_constant
        else:
            columns = _unfolded(pixels, size, stride, dilation)
            if standardize:
                if spare is None or spare.shape != columns.shape:
                    spare = torch.empty_like(columns)
                n_constant, n_varying = _standardize_columns_(columns, tolerance, spare)
                constant, lost = constant + n_constant, lost + n_varying
        if products is None:
            d = columns.shape[1]
            # Moments about a point near the mean lose no digits to cancellation.
            shift = columns.new_zeros(d, 1) if standardize else columns.mean((0, 2))[:, None]
            total, products = columns.new_zeros(d), columns.new_zeros(d, d)
        if columns.shape[1] != d:
            channels = pixels.shape[1], d // (size[0] * size[1])
            raise ValueError("images have C={} channels, those before C={}".format(*channels))
        if not standardize:
            columns -= shift
        total += columns.sum((0, 2))
        if large:
            # numpy computes half of a matrix's product with itself, and mirrors it; torch does all.
            side_by_side = columns[0].numpy()
            products += torch.from_numpy(side_by_side @ side_by_side.T)
        else:
            # addbmm adds up over the batch as it goes: bmm would hold a (d, d) matrix an image.
            products.addbmm_(columns, columns.transpose(1, 2))
        count += columns.shape[0] * columns.shape[2]
    if products is None:
        raise ValueError("images is empty: pass at least one image")
    used = count - constant
    warn_of_rounding(lost, count)
    check_contrast(used, count)
    offset = total / used
    covariance = products / used - torch.outer(offset, offset)
    shape = (d // (size[0] * size[1]), *size)
    return PatchMoments(used, constant, shape, offset + shift.flatten(), covariance)


def _pieces(
    batches: Iterable[Tensor], size: tuple[int, int], stride: int, dilation: int, batch_size: int
) -> Iterator[tuple[Tensor, float]]:
    """Pixels of a few images at a time, or of bands of one, in float64, to be overwritten.

    With each the `constant_tolerance` of its batch.
    """
    for batch in batches:
        tolerance = constant_tolerance(batch)
        rows, cols = output_size(batch, size, stride, dilation)
        d = batch.shape[1] * size[0] * size[1]
        large = _is_large(size, batch.device, tolerance)
        at_a_time = VALUES_AT_A_TIME
        if large:
            at_a_time = min(at_a_time, max(LARGE_AT_A_TIME, d * d))
        n_rows = max(1, min(rows, at_a_time // (d * cols)))
        n_images = max(1, min(batch_size, at_a_time // (d * cols * rows)))
        span = dilation * (size[0] - 1) + 1
        for part in batch.split(n_images):
            for top in range(0, rows, n_rows):
                last = min(top + n_rows, rows) - 1
                # Copied in any case: a 1x1 kernel's columns are the pixels themselves.
                band = as_float(part[:, :, top * stride : last * stride + span])
                yield band.to(torch.float64, copy=True), tolerance


def _is_large(size: tuple[int, int], device: torch.device, tolerance: float) -> bool:
    is_usual = tolerance == CONSTANT_TOLERANCE  # no large offset
    return size[0] * size[1] >= LARGE and device.type == "cpu" and is_usual


def _windows(pixels: Tensor, size: tuple[int, int], stride: int, dilation: int) -> Tensor:
    """A view of all patches of pixels (n, C, H, W), of shape (n, C, rows, cols, kh, kw)."""
    for axis, k in zip((2, 3), size, strict=True):
        pixels = pixels.unfold(axis, dilation * (k - 1) + 1, stride)
    return pixels[..., ::dilation, ::dilation]


def _unfolded(pixels: Tensor, size: tuple[int, int], stride: int, dilation: int) -> Tensor:
    """Patches (n, d, L) of pixels (n, C, H, W)."""
    windows = _windows(pixels, size, stride, dilation).permute(0, 1, 4, 5, 2, 3)
    # One copy; F.unfold takes up to three times as long in float64.
    columns = windows.contiguous().flatten(4).flatten(1, 3)
    # Images of one patch each, side by side: one product adds them all up.
    return columns.permute(2, 1, 0) if columns.shape[2] == 1 else columns


def _large(
    pixels: Tensor, size: tuple[int, int], stride: int, dilation: int, standardize: bool
) -> tuple[Tensor, int]:
    """Patches of all images side by side, (1, d, L), and how many are constant if standardised.

    As `_unfolded` and `_standardize_columns_`, in fewer passes over the patches, which are many
    times as large as the images: their means are taken from the pixels, along one axis after
    the other, and subtracted as they are copied.
    """
    windows = _windows(pixels, size, stride, dilation).permute(1, 4, 5, 0, 2, 3)
    if not standardize:
        return windows.contiguous().flatten(3).flatten(0, 2)[None], 0
    mean = pixels.mean(1)
    for axis, k in zip((1, 2), size, strict=True):
        mean = mean.unfold(axis, dilation * (k - 1) + 1, stride)[..., ::dilation].mean(-1)
    # Into memory in this order: by itself it would lie as the pixels do.
    columns = torch.sub(windows, mean, out=mean.new_empty(windows.shape))
    columns = columns.flatten(3).flatten(0, 2)
    spread = torch.from_numpy(np.einsum("ij,ij->j", columns.numpy(), columns.numpy()))
    constant = _scale_(columns, spread, mean.flatten(), CONSTANT_TOLERANCE)
    return columns[None], int(constant.sum())


def _standardize_columns_(columns: Tensor, tolerance: float, spare: Tensor) -> tuple[int, int]:
    """Standardises columns (n, d, L) in place, constant ones to zero.

    Returns how many were constant, and how many of those by the rounding of their dtype alone. The
    spare, of the same shape, is overwritten: memory that is new each time takes longer to fill.
    """
    varying = None
    if tolerance < CONSTANT_TOLERANCE:
        varying = columns.amin(1, keepdim=True) < columns.amax(1, keepdim=True)
    mean = columns.mean(1, keepdim=True)
    columns -= mean
    # Not vector_norm: 4 times as slow along this axis.
    spread = torch.square(columns, out=spare).sum(1, keepdim=True)
    constant = _scale_(columns, spread, mean, tolerance)
    return int(constant.sum()), 0 if varying is None else int((constant & varying).sum())


def _scale_(columns: Tensor, spread: Tensor, mean: Tensor, tolerance: float) -> Tensor:
    """Scales centred columns by their sums of squares, constant ones to zero; says which are."""
    d = columns.shape[-2]
    constant = spread <= tolerance**2 * (spread + d * mean.square())
    columns *= spread.div_(d).masked_fill_(constant, torch.inf).rsqrt_()
    return constant
