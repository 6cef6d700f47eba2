"""Image patches in the order of a convolution's own weights, and their moments.

Axes, here and everywhere: N images, C channels, H and W pixels, P patches, F filters,
(kh, kw) kernel size, d = C * kh * kw values in a patch.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from numbers import Integral
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# A patch counts as constant if its standard deviation is at most this share of its root mean
# square. Rounding in float32 leaves about 1e-7; the faintest pattern that 8 bits can hold in a
# patch of 11 x 11 x 3 (one value one step off) leaves 2e-4.
CONSTANT_TOLERANCE = 1e-5
# Images whose contrast is a smaller share of their root mean square than this (pressure, counts,
# all that has a large offset) would lose real patterns by it: see `constant_tolerance`.
LOW_CONTRAST = 0.02
# Patches that are worked on in float64 at a time, where all at once would take too much memory.
AT_A_TIME = 20_000
# Values that are worked on at a time: 67 MB in float64, of which a few arrays are held at once.
# Images of 32x32 stay far below it at any kernel.
VALUES_AT_A_TIME = 2**23
# Values in float64 that stay in a processor's cache with what is made of them: 256 KB.
VALUES_IN_CACHE = 2**15


@contextmanager
def plain_arithmetic(*, on_cpu: bool = True, gradients: bool = True) -> Iterator[None]:
    """Without autocast, and if on_cpu on the CPU whatever the default device, as generators are."""
    with ExitStack() as stack:
        if not gradients:
            stack.enter_context(torch.no_grad())
        if on_cpu and torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for device in ("cpu", "cuda", "mps", "xpu"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


def as_pair(kernel_size: int | tuple[int, int]) -> tuple[int, int]:
    """(kh, kw) of an integer or a pair; ValueError if either is below 1."""
    given: Any = kernel_size
    pair = tuple(given) if isinstance(given, Iterable) else (given, given)
    if len(pair) != 2 or not all(isinstance(k, Integral) and int(k) >= 1 for k in pair):
        raise ValueError(f"kernel_size={kernel_size!r} should be an integer >= 1 or a pair of them")
    return int(pair[0]), int(pair[1])


def as_integer(name: str, value: int, least: int = 1) -> int:
    """An integer of any type (also numpy's) as Python's; ValueError if it is none, or too small."""
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={value!r} should be >= {least}, and an integer")
    return int(value)


def check_generator(generator: torch.Generator | None) -> None:
    """TypeError unless it is a generator of the CPU, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator={generator!r} should be a torch.Generator or None; "
            "a seed makes one: torch.Generator().manual_seed(0)"
        )
    if generator is not None and generator.device.type != "cpu":
        raise TypeError(
            f"generator is one of {generator.device}; pass one of the CPU, torch.Generator(), "
            "which draws the same on every machine"
        )


# A public function that takes images, or patches, has them checked here once, before anything else,
# and hands them down to functions that take them as sound.
def check_images(images: Any) -> Tensor:
    """The images as they came, once they are (N, C, H, W), uint8 or floating point, and finite.

    Raises TypeError for another type, ValueError for another shape, an empty axis, NaN or infinity.
    """
    if not isinstance(images, Tensor):
        raise TypeError(
            f"images is a {type(images).__name__}; pass a torch.Tensor of shape (N, C, H, W), "
            "e.g. torch.from_numpy(array)"
        )
    if images.ndim != 4:
        raise ValueError(
            f"images has shape {tuple(images.shape)}; 4 axes (N, C, H, W) are needed. "
            "One image: images[None]; greyscale without its axis: images[:, None]"
        )
    if images.is_meta or images.layout != torch.strided or images.is_quantized:
        raise TypeError(
            f"images is a tensor of device {images.device}, layout {images.layout} and dtype "
            f"{images.dtype}; pass a plain one that holds its values"
        )
    if 0 in images.shape:
        shape = tuple(images.shape)
        raise ValueError(f"images has shape {shape}: no axis may be empty, pass at least one image")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(
            f"images has dtype {images.dtype}; "
            "pass uint8 (0 to 255) or floating point, e.g. images.float() / 255"
        )
    if images.is_floating_point() and not _all_finite(images):
        raise ValueError(
            "images holds NaN or infinite values; remove or repair these images first "
            "(torch.isfinite(images).flatten(1).all(1) tells which are sound)"
        )
    return images


def check_batches(images: Iterable) -> Iterator[Tensor]:
    """Checked images of an iterable of batches, each a tensor or (images, ...), one at a time.

    TypeError or ValueError as `check_images`, with the batch's number; where there is no batch, or
    one of another shape (C, H, W) or dtype than the first.
    """
    first: Tensor | None = None
    number = -1
    for number, batch in enumerate(images):
        batch = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
        try:
            check_images(batch)
        except (TypeError, ValueError) as error:
            # As `next(iter(loader))` gives it, and as `load_images` does.
            pair = number == 1 and isinstance(batch, Tensor) and batch.ndim == 1
            hint = ". Of one batch (images, labels) pass the images alone" if pair else ""
            raise type(error)(f"batch {number} of images: {error}{hint}") from error
        first = batch[:0] if first is None else first
        for what, given, wanted in (
            ("shape (C, H, W)", tuple(batch.shape[1:]), tuple(first.shape[1:])),
            ("dtype", batch.dtype, first.dtype),
        ):
            if given != wanted:
                raise ValueError(
                    f"batch {number} of images has {what} {given}, the first has {wanted}; make "
                    "them alike, by resizing or converting"
                )
        yield batch
    if number < 0:
        raise ValueError("images yields no batch; pass a fresh iterable, if it was used up before")


def is_stream(images: object) -> TypeGuard[Iterable]:
    """Whether images come as an iterable of batches, and not as a tensor or something else."""
    others = Tensor | np.ndarray | str | bytes | Mapping
    return isinstance(images, Iterable) and not isinstance(images, others)


def _all_finite(images: Tensor) -> bool:
    """Whether the least and the largest value are finite, which needs no mask of all."""
    # In parts, which bounds what is copied where values do not lie in a row.
    at_a_time = max(1, VALUES_AT_A_TIME // images[0].numel())
    parts = (as_float(part) for part in images.detach().split(at_a_time))
    return all(math.isfinite(extreme) for part in parts for extreme in part.aminmax())


def as_float(images: Tensor) -> Tensor:
    """Checked images in float32 or float64; uint8 is divided by 255, half precision made longer."""
    if images.dtype == torch.uint8:
        return images.float().div_(255)
    return images if images.dtype == torch.float64 else images.float()


def as_steps(stride: int, dilation: int) -> tuple[int, int]:
    """Both as Python's integers; ValueError if either is none, or below 1."""
    if not all(isinstance(step, Integral) and step >= 1 for step in (stride, dilation)):
        raise ValueError(f"stride={stride} and dilation={dilation} should both be integers >= 1")
    return int(stride), int(dilation)


def output_size(
    images: Tensor, kernel_size: tuple[int, int], stride: int, dilation: int
) -> tuple[int, int]:
    """Rows and columns of patches in each image; ValueError if the kernel does not fit."""
    stride, dilation = as_steps(stride, dilation)
    spans = [dilation * (k - 1) + 1 for k in kernel_size]
    height, width = images.shape[-2:]
    if spans[0] > height or spans[1] > width:
        raise ValueError(
            f"kernel_size={kernel_size} with dilation={dilation} spans "
            f"{spans[0]}x{spans[1]} pixels, more than the images' {height}x{width}; "
            "use a smaller kernel, or larger or padded images"
        )
    return (height - spans[0]) // stride + 1, (width - spans[1]) // stride + 1


@plain_arithmetic()
def extract_patches(
    images: Tensor, kernel_size: int | tuple[int, int], *, stride: int = 1, dilation: int = 1
) -> Tensor:
    """Every patch of every image, without padding.

    The values of a patch stand in the order of ``torch.nn.functional.conv2d``'s weights, so that
    the response of filter w to patch p is the dot product of the two.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W)
        uint8 (divided by 255) or any floating point, at least one image, finite, on any device.
    kernel_size : int or pair of int
        (kh, kw), each at least 1.
    stride, dilation : int
        As in ``conv2d``.

    Returns
    -------
    Tensor of shape (P, C, kh, kw)
        Image by image, each from left to right and top to bottom; float64 if the images are, else
        float32; on their device. P = N * ((H - kh) // stride + 1) * ((W - kw) // stride + 1) for
        dilation 1.

    Raises
    ------
    TypeError, ValueError
        Not a tensor of images, NaN, no images, or a kernel larger than the image.

    Examples
    --------
    >>> extract_patches(torch.rand(10, 3, 32, 32), 3).shape
    torch.Size([9000, 3, 3, 3])
    """
    size = as_pair(kernel_size)
    return some_patches(check_images(images), size, None, stride=stride, dilation=dilation)


@plain_arithmetic()
def sample_patches(
    images: Tensor,
    kernel_size: int | tuple[int, int],
    n_patches: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """n_patches patches, drawn uniformly without replacement from those of `extract_patches`.

    Memory grows with n_patches, not with the images. If they hold no more, all come, in order.
    Raises as `extract_patches` does, and for n_patches below 1.

    Parameters
    ----------
    images, kernel_size, stride, dilation
        As for `extract_patches`.
    n_patches : int
        At least 1.
    generator : torch.Generator, optional
        Of the CPU.

    Returns
    -------
    Tensor of shape (min(n_patches, P), C, kh, kw)

    Examples
    --------
    >>> images, generator = torch.rand(10, 3, 32, 32), torch.Generator().manual_seed(0)
    >>> sample_patches(images, 3, 500, generator=generator).shape
    torch.Size([500, 3, 3, 3])
    """
    size = as_pair(kernel_size)
    n_patches = as_integer("n_patches", n_patches)
    check_generator(generator)
    return some_patches(
        check_images(images), size, n_patches,
        stride=stride, dilation=dilation, generator=generator,
    )  # fmt: skip


def some_patches(
    images: Tensor,
    size: tuple[int, int],
    n_patches: int | None,
    *,
    stride: int = 1,
    dilation: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """`sample_patches` of checked images, all if n_patches is None; only those become float."""
    stride, dilation = as_steps(stride, dilation)
    rows, cols = output_size(images, size, stride, dilation)
    total = len(images) * rows * cols
    if n_patches is None or n_patches >= total:
        columns = F.unfold(as_float(images), size, dilation=dilation, stride=stride)  # (N, d, L)
        return columns.transpose(1, 2).reshape(-1, images.shape[1], *size)
    return _picked(images, _distinct(total, n_patches, generator), size, stride, dilation)


def _picked(
    images: Tensor, chosen: Tensor, size: tuple[int, int], stride: int, dilation: int
) -> Tensor:
    """The patches of these places in the order of `extract_patches`."""
    rows, cols = output_size(images, size, stride, dilation)
    row_offsets, col_offsets = (torch.arange(k) * dilation for k in size)
    patches = []
    at_a_time = min(65_536, max(1, VALUES_AT_A_TIME // (images.shape[1] * size[0] * size[1])))
    for part in chosen.split(at_a_time):  # bounds the index tensors, not the result
        image, place = part // (rows * cols), part % (rows * cols)
        down = (place // cols * stride)[:, None] + row_offsets  # (p, kh)
        across = (place % cols * stride)[:, None] + col_offsets  # (p, kw)
        picked = images[image[:, None, None], :, down[:, :, None], across[:, None, :]]
        patches.append(as_float(picked.permute(0, 3, 1, 2)))  # from (p, kh, kw, C)
    return torch.cat(patches)


def streamed_patches(
    batches: Iterable[Tensor],
    size: tuple[int, int],
    n_patches: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """`some_patches` of checked batches, whose number nobody knows before the last.

    Each patch draws a random number, and those of the smallest stay: the same patches however the
    images are cut into batches. Holds three times n_patches at most, beside a batch.
    """
    kept: list[Tensor] = []
    keys: list[Tensor] = []
    held, total, limit = 0, 0, float("inf")

    def smallest() -> tuple[Tensor, Tensor]:
        drawn = torch.cat(keys)
        order = drawn.argsort()[:n_patches]
        return torch.cat(kept)[order], drawn[order]

    for batch in batches:
        rows, cols = output_size(batch, size, stride, dilation)
        for part in batch.split(max(1, n_patches // (rows * cols))):
            drawn = torch.rand(len(part) * rows * cols, dtype=torch.float64, generator=generator)
            total += len(drawn)
            new = (drawn < limit).nonzero().flatten()
            if len(new) > n_patches:
                new = new[drawn[new].argsort()[:n_patches]]
            if len(new):
                kept.append(_picked(part, new, size, stride, dilation))
                keys.append(drawn[new])
                held += len(new)
            if held > 2 * n_patches:
                best, least = smallest()
                kept, keys, held, limit = [best], [least], n_patches, least.max().item()
    return smallest()[0] if total > n_patches else torch.cat(kept)


def _distinct(total: int, n: int, generator: torch.Generator | None) -> Tensor:
    """n distinct integers below total, uniformly; memory O(n) where n is a small share of total."""
    if 4 * n > total:
        return torch.randperm(total, generator=generator)[:n]
    seen = torch.empty(0, dtype=torch.int64)
    while len(seen) < n:
        # Two draws that collide keep their first place: what remains is a uniform sample.
        drawn = torch.cat([seen, torch.randint(total, (n,), generator=generator)])
        unique, where = torch.unique(drawn, return_inverse=True)
        first = torch.full((len(unique),), len(drawn)).scatter_reduce_(
            0, where, torch.arange(len(drawn)), "amin"
        )
        seen = drawn[first.sort().values][:n]
    return seen


class Standardized(NamedTuple):
    """Patches with mean 0 and standard deviation 1 each, and which of the input's were constant.

    Examples
    --------
    >>> striped, flat = [[1.0, 3.0], [1.0, 3.0]], [[5.0, 5.0], [5.0, 5.0]]
    >>> standardize_patches(torch.tensor([[striped], [flat]])).constant_share
    0.5
    """

    patches: Tensor  #: (P', C, kh, kw), P' <= P
    constant: Tensor  #: (P,) bool, over the input

    @property
    def constant_share(self) -> float:
        """Share of the input's patches that are constant, 0 to 1."""
        return int(self.constant.sum()) / len(self.constant)


@plain_arithmetic()
def standardize_patches(patches: Tensor) -> Standardized:
    """Subtract each patch's mean over all its C*kh*kw values and divide by its standard deviation.

    The paper's standardisation "at the patch level" (section 3.2). A constant patch has no
    direction: it is dropped, and marked in the second value. What remains has norm sqrt(d).

    A patch is constant if its standard deviation is at most 1e-5 of its root mean square. Where
    that of all patches together is below 0.02 of theirs (a large offset, as of pressure), it is a
    few roundings of their dtype: 5e-7 for float32 and 7e-15 for float64, and for whole numbers.

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw)
        uint8 or any floating point, finite, on any device.

    Returns
    -------
    Standardized
        ``patches`` of shape (P', C, kh, kw) and ``constant``, bool of shape (P,).

    Raises
    ------
    TypeError, ValueError
        Not patches, or every one of them constant.

    Warns
    -----
    UserWarning
        Of patches with a large offset 2 % vary too little for their dtype, and are dropped.

    Examples
    --------
    >>> striped, flat = [[1.0, 3.0], [1.0, 3.0]], [[5.0, 5.0], [5.0, 5.0]]
    >>> patches, constant = standardize_patches(torch.tensor([[striped], [flat]]))
    >>> patches.tolist(), constant.tolist()
    ([[[[-1.0, 1.0], [-1.0, 1.0]]]], [False, True])
    """
    tolerance = constant_tolerance(check_images(patches))
    flat = as_float(patches).flatten(1)
    if tolerance < CONSTANT_TOLERANCE:  # sums in float32 would be rounded as much
        kept, constant = _standardize_rows(flat.double(), tolerance)
        kept = kept.to(flat.dtype)
        warn_of_rounding(int((constant & (flat.amin(1) < flat.amax(1))).sum()), len(flat))
    else:
        kept, constant = _standardize_rows(flat, tolerance)
    check_contrast(len(kept), len(patches))
    return Standardized(kept.reshape(-1, *patches.shape[1:]), constant)


def standardized_blocks(patches: Tensor) -> Iterator[Tensor]:
    """`standardize_patches` of checked ones in float64, rows (n, d) of some patches at a time.

    For what a float32's last bits could tip over.
    """
    tolerance, lost = constant_tolerance(patches), 0
    at_a_time = max(1, VALUES_IN_CACHE // patches[0].numel())
    for part in patches.flatten(1).split(at_a_time):
        part = as_float(part)
        kept, constant = _standardize_rows(part.double(), tolerance)
        if tolerance < CONSTANT_TOLERANCE:
            lost += int((constant & (part.amin(1) < part.amax(1))).sum())
        yield kept
    warn_of_rounding(lost, len(patches))


def constant_tolerance(images: Tensor) -> float:
    """The share of a patch's root mean square up to which its standard deviation counts as zero.

    It is `CONSTANT_TOLERANCE`, but for images of a large offset a few roundings of what they are
    stored in: of float32 also where float64 holds no more digits, of none for whole numbers.
    """
    if images.dtype not in (torch.float32, torch.float64):
        return CONSTANT_TOLERANCE
    images = images.detach()
    some = images[:: math.ceil(len(images) / 1000)]
    step = math.ceil(math.sqrt(some.numel() / VALUES_AT_A_TIME))
    some = some[:, :, ::step, ::step].double().flatten(1)
    power = some.square().mean()
    if some.var(1, correction=0).mean() >= LOW_CONTRAST**2 * power:
        return CONSTANT_TOLERANCE
    whole = some.abs().max() < 2**24 and torch.equal(some, some.round())
    short = images.dtype == torch.float32 or torch.equal(some, some.float().double())
    if short and not whole:
        return 4 * torch.finfo(torch.float32).eps
    return 32 * torch.finfo(torch.float64).eps  # the sums' own


def warn_of_rounding(n_lost: int, n_patches: int) -> None:
    """UserWarning if a fiftieth of the patches vary, but count as constant."""
    if n_lost >= 0.02 * n_patches:
        warnings.warn(
            f"{n_lost / n_patches:.0%} of the patches vary by no more than a few roundings of "
            "float32 and are left out as constant: the images have a large offset beside their "
            "contrast. Subtract it before they are stored in float32, or pass float64",
            stacklevel=4,
        )


def _standardize_rows(flat: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Rows of mean 0 and standard deviation 1 without the constant ones, and which those were."""
    centred = flat - flat.mean(1, keepdim=True)
    variance, power = centred.square().mean(1), flat.square().mean(1)
    constant = variance <= tolerance**2 * power
    centred.mul_(variance.rsqrt()[:, None])
    return centred[~constant] if constant.any() else centred, constant


def check_contrast(n_used: int, n_patches: int) -> None:
    """ValueError if no patch is left once the constant ones are out."""
    if n_used == 0:
        raise ValueError(
            f"all {n_patches} patches are constant, so none has a direction to learn from; "
            "pass images with some contrast, or a larger kernel"
        )
