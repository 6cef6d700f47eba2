"""Pictures of a folder in batches, each read when its turn comes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from numbers import Integral
from pathlib import Path

import torch
from torch import Tensor

from ..patches import as_integer, check_generator
from .folders import _check_size, _files
from .pictures import is_picture, look, stacked

_VALUES = 2**25  # of a batch, at most, but for a single picture


class PictureBatches:
    """All pictures in a folder and below it, whatever folders they lie in, as batches of images.

    Read anew each time that one goes through them, in bounded memory: for `patchinit.make_filters`
    and `patchinit.initialize_first_layer_`. Pictures are read as `load_images` reads them, and have
    one channel if every file is stored without colour, else three.

    Parameters
    ----------
    path : str or path
    size : (H, W), optional
        Resize every picture. Without it, all must have one size.
    n : int, optional
        Take so many of them, drawn uniformly, in the order of their names; by default all.
    batch_size : int
        At most; fewer where they are large.
    generator : torch.Generator, optional

    Raises
    ------
    TypeError, ValueError
        No such folder, no picture in it, fewer than n, several sizes without `size`, or an argument
        of another kind.
    DatasetDamaged
        A picture can't be read.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number in range(5):
    ...         Image.new("RGB", (8, 6)).save(f"{folder}/{number}.png")
    ...     [tuple(batch.shape) for batch in PictureBatches(folder, batch_size=3)]
    [(3, 3, 6, 8), (2, 3, 6, 8)]
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        size: tuple[int, int] | None = None,
        n: int | None = None,
        batch_size: int = 64,
        generator: torch.Generator | None = None,
    ) -> None:
        _check_size(size)
        batch_size = as_integer("batch_size", batch_size)
        check_generator(generator)
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder")
        files = [*_files(folder)]
        found = [file for file in files if is_picture(file)]
        self.n_skipped = len(files) - len(found)  #: files that are no pictures
        if not found:
            raise ValueError(f"{folder} holds no picture")
        if n is not None:
            if not isinstance(n, Integral) or not 1 <= n <= len(found):
                text = f"between 1 and {len(found)}, its pictures, and an integer"
                raise ValueError(f"n={n!r} should be {text}")
            chosen = torch.randperm(len(found), generator=generator)[: int(n)].sort().values
            found = [found[place] for place in chosen.tolist()]
        self.pictures = [look(file) for file in found]
        sizes = sorted({picture.size for picture in self.pictures})
        if size is None and len(sizes) > 1:
            text = f"{len(sizes)} sizes, {sizes[0]} to {sizes[-1]}; pass size=(H, W)"
            raise ValueError(f"{folder} holds images of {text}")
        self.grey = all(picture.grey for picture in self.pictures)
        self.size = sizes[0] if size is None else (int(size[0]), int(size[1]))
        self.channels = 1 if self.grey else 3
        values = self.channels * self.size[0] * self.size[1]
        self.batch_size = max(1, min(batch_size, _VALUES // values))

    def __len__(self) -> int:
        return math.ceil(len(self.pictures) / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        """Batches, uint8 (n, C, H, W)."""
        for start in range(0, len(self.pictures), self.batch_size):
            pictures = self.pictures[start : start + self.batch_size]
            yield stacked(pictures, self.grey, self.size)
