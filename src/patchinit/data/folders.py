"""A folder of one's own, with one folder of pictures for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torchvision import datasets

from .images import SPLITS, Images
from .published import DatasetDamaged


def read_folder(path: Path, split: str, size: tuple[int, int] | None) -> Images:
    """Images in class folders. Greyscale only if every file is stored so."""
    divided = [(path / part).is_dir() for part in SPLITS]
    if any(divided):
        if not divided[SPLITS.index(split)]:
            raise ValueError(f"split={split!r}: {path} has no folder {split!r}")
        place = path / split
    elif split == "test":
        raise ValueError(
            f"split='test': {path} has no folders 'train' and 'test', so all of it is split 'train'"
        )
    else:
        place = path
    try:
        found = datasets.ImageFolder(place)
    except FileNotFoundError as error:
        raise ValueError(f"{place} should hold one folder of images a class: {error}") from error
    pictures = [_open(Path(file)) for file, _ in found.samples]
    mode = "L" if all(picture.mode in ("1", "L") for picture in pictures) else "RGB"
    if size is not None:
        pictures = [
            picture.convert(mode).resize((size[1], size[0]), Image.Resampling.BILINEAR)
            for picture in pictures
        ]
    sizes = sorted({picture.size[::-1] for picture in pictures})
    if len(sizes) > 1:
        raise ValueError(
            f"{place} holds images of {len(sizes)} sizes, {sizes[0]} to {sizes[-1]}; "
            "pass size=(H, W)"
        )
    arrays = [np.array(picture.convert(mode)) for picture in pictures]
    pixels = torch.from_numpy(np.stack(arrays))  # (N, H, W) or (N, H, W, 3)
    pixels = pixels[:, None] if mode == "L" else pixels.permute(0, 3, 1, 2).contiguous()
    return Images(pixels, torch.tensor(found.targets), tuple(found.classes), path.name, split)


def _open(file: Path) -> Image.Image:
    try:
        with Image.open(file) as picture:
            picture.load()
            return picture
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DatasetDamaged(
            f"{file} can't be read as an image ({error}); repair or remove it"
        ) from error
