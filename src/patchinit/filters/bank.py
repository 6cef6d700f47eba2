"""A bank of filters, and what every method that makes one shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Shape = tuple[int, int, int, int]  # (F, C, kh, kw)

# Standardised patches count as one direction if the cosine between them is above this: two of 8
# bits that differ at all lie further apart, rounding in float32 stays far below.
SAME_DIRECTION = 1 - 1e-5


class TooManyFilters(ValueError):
    """More filters are asked for than the method can make for these patches: at most `limit`."""

    def __init__(self, text: str, limit: int = 0) -> None:
        super().__init__(text)
        self.limit = limit


# What a norm can be called, and what for. None is the filter functions' word for "raw".
NORMS: dict[str | None, str] = {
    "own": "'own' (the method's own norm)",
    "raw": "'raw' (filters as the method computes them)",
    "keep": "'keep' (the mean norm of the filters that are replaced)",
    None: "None (filters as they are)",
}


@dataclass(frozen=True, eq=False)
class FilterBank:
    """Filters, and the name of the method that made them.

    Examples
    --------
    >>> import torch
    >>> len(FilterBank(torch.ones(4, 3, 5, 5), "my own"))
    4
    """

    filters: Tensor  #: (F, C, kh, kw), float32, on the CPU
    method: str
    #: Name of the layer that was written, out of ``named_modules``; None if none was.
    layer: str | None = field(default=None, kw_only=True)
    #: Convolutions that the network feeds the same tensor; they stay as they were.
    beside: tuple[str, ...] = field(default=(), kw_only=True)
    #: What the filters are, and how many, in their order, where not all are the method's own.
    parts: tuple[tuple[str, int], ...] = field(default=(), kw_only=True)
    #: What `make_filters` was asked for, by the names of its arguments.
    settings: dict[str, Any] = field(default_factory=dict, kw_only=True)
    #: Number of "images", their "channels" and "size" [H, W], by `make_filters`; empty without any.
    learned_from: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def __len__(self) -> int:
        return len(self.filters)

    def save(self, path: str | PathLike) -> None:
        """Write the bank to a file in the safetensors format, which any of its readers opens.

        Everything is kept: filters and eigenvalues or shares as tensors, all else in the header, as
        a JSON text under the one key "bank". The same bank gives the same bytes. A file that is
        there is replaced once the new one is whole.

        Parameters
        ----------
        path : str or path
            By custom ending in ``.safetensors``.

        Raises
        ------
        ValueError
            Filters, or what is known of them, that `FilterBank.load` would refuse.
        OSError
            The file can't be written; one that was there is as it was.

        Examples
        --------
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     FilterBank(torch.ones(4, 3, 5, 5), "my own").save(f"{folder}/bank.safetensors")
        ...     FilterBank.load(f"{folder}/bank.safetensors").filters.shape
        torch.Size([4, 3, 5, 5])
        """
        from .bank_file import save_bank

        save_bank(self, path)

    @staticmethod
    def load(path: str | PathLike) -> FilterBank:
        """The bank that `save` wrote, of the class that it had.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        FilterBank
            A `PrincipalComponents` or `Clusters` if it was one; on the CPU, in memory of its own.

        Raises
        ------
        ValueError
            The file is no bank, of another version of the format, cut short, or holds filters
            that are not (F, C, kh, kw) in float32, or not finite. The text names the file.
        OSError
            It can't be read.

        Examples
        --------
        >>> import pathlib, tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "photo.png").write_bytes(bytes(100))
        ...     FilterBank.load(f"{folder}/photo.png")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: .../photo.png is no bank of filters: ...
        """
        from .bank_file import load_bank

        return load_bank(path)

    def show(self, *, n_cols: int | None = None, scale: float | None = None) -> Figure:
        """The filters as a figure of matplotlib, which a notebook shows; pyplot is not touched.

        Three channels are drawn in colour, zero as mid-grey; one from blue (negative) over white
        to red. Of any other number each channel is a line of its own, a filter a column.

        Parameters
        ----------
        n_cols : int, optional
            Filters in a line. By default at most 16.
        scale : float, optional
            Above 0: the weight at the ends of the colour scale, which all filters share. By default
            the largest magnitude in the bank.

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'patchinit[show]'`` brings.

        Examples
        --------
        >>> import torch
        >>> FilterBank(torch.ones(4, 3, 5, 5), "my own").show().axes[0].get_title()
        'my own: 4 filters of 3x5x5'
        """
        try:
            from .picture import figure_of
        except ImportError as error:
            text = "pictures of filters need matplotlib: pip install 'patchinit[show]'"
            raise ImportError(text) from error
        return figure_of(self, n_cols=n_cols, scale=scale)


def with_norm(filters: Tensor, norm: float | None) -> Tensor:
    """The filters (F, C, kh, kw) rescaled to a Euclidean norm each; as they are if norm is None.

    ValueError if the norm is not above 0, or a filter is zero.

    Examples
    --------
    >>> import torch
    >>> with_norm(torch.ones(2, 1, 2, 2), 3.0).flatten(1).norm(dim=1)
    tensor([3., 3.])
    """
    check_norm(norm, None)
    if norm is None:
        return filters
    norms = filters.flatten(1).norm(dim=1)
    if (norms == 0).any():
        first = int((norms == 0).nonzero()[0])
        raise ValueError(f"filter {first} is zero and can't be given norm {norm}")
    return filters * (norm / norms)[:, None, None, None]


def check_norm(norm: float | str | None, *others: str | None) -> None:
    """ValueError unless norm is a number above 0 or one of the others, out of `NORMS`."""
    if isinstance(norm, Real) and not isinstance(norm, bool) and 0 < norm < float("inf"):
        return
    if not isinstance(norm, str | None) or norm not in others:
        choices = ", ".join(["a finite number > 0", *(NORMS[other] for other in others[:-1])])
        raise ValueError(f"norm={norm!r} should be {choices} or {NORMS[others[-1]]}")


def check_shape(shape: tuple[int, ...]) -> Shape:
    """(F, C, kh, kw) of a bank or of a layer's weight; ValueError if it is no such shape."""
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        text = "should be (F, C, kh, kw), as layer.weight.shape"
        raise ValueError(f"shape is a {type(shape).__name__} and {text}")
    whole = all(isinstance(size, Integral) for size in shape)
    if len(shape) != 4 or not whole or min(shape) < 1:
        raise ValueError(
            f"shape={tuple(shape)} should be (F, C, kh, kw), each an integer of at least 1"
        )
    n_filters, channels, height, width = map(int, shape)
    return n_filters, channels, height, width


def check_n_filters(n_filters: int, limit: int, what: str, way_out: str) -> int:
    """n_filters as Python's integer; TooManyFilters, a ValueError, unless 1 <= it <= limit."""
    if not isinstance(n_filters, Integral):
        raise ValueError(f"n_filters={n_filters!r} should be an integer")
    if not 1 <= n_filters <= limit:
        text = f"n_filters={n_filters} should be between 1 and {limit}, {what}; {way_out}"
        raise TooManyFilters(text, limit)
    return int(n_filters)


def check_patches_suffice(n_filters: int, rows: Tensor) -> int:
    """n_filters; ValueError if standardised patches (P', d), or their directions, are fewer."""
    what = "the patches that are not constant"
    n_filters = check_n_filters(n_filters, len(rows), what, "pass more images")
    step = max(1, len(rows) // (16 * n_filters))  # for common images a few of them are enough
    if _n_directions(rows[::step], n_filters) < n_filters:
        what = "the different patches that the images hold (brightness and contrast put aside)"
        check_n_filters(n_filters, _n_directions(rows, n_filters), what, "pass other images")
    return n_filters


def first_directions(rows: Tensor, order: Tensor, n_filters: int) -> Tensor:
    """The first n places of an order at which no two standardised patches are one direction."""
    first = rows[order[:n_filters]]
    same = (first @ part.T / rows.shape[1] > SAME_DIRECTION for part in first.split(1000))
    if sum(int(part.sum()) for part in same) <= n_filters:  # each is so to itself alone
        return order[:n_filters]
    rows = rows[order]
    found: list[int] = []
    closest = rows.new_full((len(rows),), -1.0)
    while len(found) < n_filters:
        new = (closest <= SAME_DIRECTION).nonzero()
        if not len(new):
            what = "the different patches, in the order in which they were drawn"
            check_n_filters(n_filters, len(found), what, "pass other images")
        found.append(int(new[0]))
        closest = torch.maximum(closest, rows @ rows[found[-1]] / rows.shape[1])
        closest[found[-1]] = 1
    return order[found]


def _n_directions(rows: Tensor, limit: int) -> int:
    """Directions that standardised patches (P', d) point into, counted up to a limit."""
    closest = rows.new_full((len(rows),), -1.0)
    for found in range(limit):
        farthest = closest.argmin()
        if closest[farthest] > SAME_DIRECTION:
            return found
        closest = torch.maximum(closest, rows @ rows[farthest] / rows.shape[1])
    return limit


def check_dimensions_suffice(n_filters: int, shape: tuple[int, int, int], way_out: str) -> int:
    """n_filters; ValueError if orthogonal filters of shape (C, kh, kw) can't be that many."""
    channels, height, width = shape
    dimensions = f"the C*kh*kw = {channels}*{height}*{width} dimensions of a filter"
    return check_n_filters(n_filters, channels * height * width, dimensions, way_out)
