"""Mean and covariance of any number of patches, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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

# Values in a channel of a kernel from which on nearly all time goes into products, and numpy's are
# taken: of a matrix with itself it computes the half that is needed, which torch does not.
LARGE = 25


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
    for columns, tolerance in _unfolded(batches, size, stride, dilation, batch_size):
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
        if not standardize:
            columns -= shift
        total += columns.sum((0, 2))
        if len(columns) == 1 and size[0] * size[1] >= LARGE and columns.device.type == "cpu":
            row = columns[0].numpy()
            products += torch.from_numpy(row @ row.T)
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


def _unfolded(
    batches: Iterable[Tensor], size: tuple[int, int], stride: int, dilation: int, batch_size: int
) -> Iterator[tuple[Tensor, float]]:
    """Patches of a few images at a time, (n, d, L), float64, to be overwritten.

    With each the `constant_tolerance` of its batch. Those of several images lie side by side,
    n = 1, where a kernel is `LARGE`, or takes a whole image, so that one product adds them all up.
    """
    for batch in batches:
        tolerance = constant_tolerance(batch)
        for part in _pieces(batch, size, stride, dilation, batch_size):
            # Copied in any case: a 1x1 kernel's columns are the pixels themselves.
            pixels = as_float(part).to(torch.float64, copy=True)
            for axis, k in zip((2, 3), size, strict=True):
                pixels = pixels.unfold(axis, dilation * (k - 1) + 1, stride)
            windows = pixels[..., ::dilation, ::dilation]  # (n, C, rows, cols, kh, kw)
            # One copy; F.unfold takes up to three times as long in float64.
            if size[0] * size[1] >= LARGE:
                columns = windows.permute(1, 4, 5, 0, 2, 3).contiguous().flatten(3)
                yield columns.flatten(0, 2)[None], tolerance
            else:
                columns = windows.permute(0, 1, 4, 5, 2, 3).contiguous().flatten(4).flatten(1, 3)
                yield columns.permute(2, 1, 0) if columns.shape[2] == 1 else columns, tolerance


def _pieces(
    batch: Tensor, size: tuple[int, int], stride: int, dilation: int, batch_size: int
) -> Iterator[Tensor]:
    """A few images at a time, or bands of one, of at most `VALUES_AT_A_TIME` values in patches."""
    rows, cols = output_size(batch, size, stride, dilation)
    values = batch.shape[1] * size[0] * size[1] * cols  # in a row of patches
    n_rows = max(1, min(rows, VALUES_AT_A_TIME // values))
    n_images = max(1, min(batch_size, VALUES_AT_A_TIME // (values * rows)))
    span = dilation * (size[0] - 1) + 1
    for part in batch.split(n_images):
        for top in range(0, rows, n_rows):
            last = min(top + n_rows, rows) - 1
            yield part[:, :, top * stride : last * stride + span]


def _standardize_columns_(columns: Tensor, tolerance: float, spare: Tensor) -> tuple[int, int]:
    """Standardises columns (n, d, L) in place, constant ones to zero.

    Returns how many were constant, and how many of those by the rounding of their dtype alone. The
    spare, of the same shape, is overwritten: memory that is new each time takes longer to fill.
    """
    d = columns.shape[1]
    varying = None
    if tolerance < CONSTANT_TOLERANCE:
        varying = columns.amin(1, keepdim=True) < columns.amax(1, keepdim=True)
    mean = columns.mean(1, keepdim=True)
    columns -= mean
    # Not vector_norm: 4 times as slow along this axis.
    spread = torch.square(columns, out=spare).sum(1, keepdim=True)
    constant = spread <= tolerance**2 * (spread + d * mean.square())
    columns *= spread.div_(d).masked_fill_(constant, torch.inf).rsqrt_()
    return int(constant.sum()), 0 if varying is None else int((constant & varying).sum())
