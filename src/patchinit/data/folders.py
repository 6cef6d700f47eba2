"""A folder of one's own, with one folder of pictures for each class."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from .catalogue import DATASETS
from .images import SPLITS, Images
from .published import DatasetDamaged

#: What a folder of a split may be called, in any case: train, Training, seg_test.
_SPLIT_NAME = re.compile(r"(?:.*[_\- ])?(?:(train)(?:ing)?|(test)(?:ing)?)(?:[_\- ].*)?", re.I)
_OTHER_SPLIT = re.compile(r"(?:.*[_\- ])?(?:val|valid|validation|dev|eval)(?:[_\- ].*)?", re.I)
#: Endings of pictures.
_ENDINGS = (
    ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm",
    ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip
_LEFT_OUT = ("Thumbs.db", "desktop.ini", "__MACOSX")  # beside all that begins with a dot
_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


class SkippedFiles(UserWarning):
    """Files of a folder that are no pictures were left out; the text says how many."""


@dataclass(frozen=True)
class _Picture:
    """What is known of a file before its pixels are decoded."""

    file: Path
    grey: bool
    size: tuple[int, int]  #: (H, W), upright


def read_folder(path: Path, split: str, size: tuple[int, int] | None) -> Images:
    """Images in class folders, one decoded at a time.

    The classes are those of all splits together, in alphabetical order, so that a label means the
    same in each. Hidden folders and files are left out (`.ipynb_checkpoints`, `.DS_Store`); other
    files that are no pictures are counted in a `SkippedFiles` warning. Pictures are turned upright
    as their Exif data say, and laid on white where they are transparent. The images have one
    channel if every file is stored without colour (whatever its values), else three. Of 16 bits
    the upper eight are kept. Of several frames the first is taken.

    Raises
    ------
    ValueError
        No class folders or pictures; folders that are a split's by their name and a class's by
        their place; several sizes without `size`.
    DatasetDamaged
        A file can't be read, or is of a depth that has no fixed scale (32 bits, floating point).
    """
    _check_size(size)
    folders = _class_folders(path, split)
    classes = _check_classes(path, [folder for part in folders.values() for folder in part])
    pictures, labels, skipped = [], [], []
    for folder in folders[split]:
        for file in _files(folder):
            if _is_picture(file):
                pictures.append(_look(file))
                labels.append(classes.index(folder.name))
            else:
                skipped.append(file)
    if not pictures:
        raise ValueError(f"{path} holds no picture for split={split!r}")
    if skipped:
        text = f"{path}: {len(skipped)} files are no pictures and were left out, {skipped[0]} first"
        warnings.warn(text, SkippedFiles, stacklevel=3)
    grey = all(picture.grey for picture in pictures)
    sizes = sorted({picture.size for picture in pictures})
    if size is None and len(sizes) > 1:
        found = f"{len(sizes)} sizes, {sizes[0]} to {sizes[-1]}"
        raise ValueError(f"{path} holds images of {found}; pass size=(H, W)")
    height, width = sizes[0] if size is None else size
    pixels = np.empty((len(pictures), height, width, 1 if grey else 3), np.uint8)
    largest = 0  # of the values of 16 bits
    for place, picture in enumerate(pictures):
        highest, decoded = _decode(picture.file, grey)
        largest = max(largest, highest)
        if decoded.size != (width, height):
            decoded = decoded.resize((width, height), Image.Resampling.BILINEAR)
        pixels[place] = np.asarray(decoded).reshape(height, width, -1)
    if 0 < largest < 4096:
        raise DatasetDamaged(
            f"{path} holds pictures of 16 bits whose values end at {largest}: they seem to use 12 "
            "bits or fewer, and would come out nearly black. Scale them to 8 bits first"
        )
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    name = os.path.basename(os.path.abspath(path))  # also of "." and ".."
    name = f"./{name}" if name in DATASETS else name  # as `load_images` is asked for it
    return Images(images, torch.tensor(labels), tuple(classes), name, split)


def holds_pictures(path: Path) -> bool:
    """Whether there is a picture in a folder, or below it."""
    return path.is_dir() and any(_is_picture(file) for file in _files(path))


def _check_classes(path: Path, folders: list[Path]) -> list[str]:
    """Names of the classes, each of which has a picture in some split."""
    classes = sorted({folder.name for folder in folders})
    for name in classes:
        if not any(holds_pictures(folder) for folder in folders if folder.name == name):
            raise ValueError(
                f"{path} should hold one folder of images a class: {name!r} has none; "
                f"known endings are {', '.join(_ENDINGS)}"
            )
    return classes


def _check_size(size: Any) -> None:
    pair = isinstance(size, (tuple, list)) and len(size) == 2
    if size is not None and not (pair and all(isinstance(k, int) and k >= 1 for k in size)):
        raise ValueError(f"size={size!r} should be a pair (H, W) of integers >= 1, as in (64, 64)")


def _class_folders(path: Path, split: str) -> dict[str, list[Path]]:
    """The class folders of each split; of "train" alone where the folder is not divided."""
    # A folder named like a split is one if it holds class folders; with pictures of its own it is
    # a class, of trains say.
    splits: dict[str, list[Path]] = {name: [] for name in SPLITS}
    others = []
    for folder in _subfolders(path):
        match = _SPLIT_NAME.fullmatch(folder.name)
        divided = not _has_pictures(folder) and bool(_subfolders(folder))
        if match and divided:
            splits["train" if match[1] else "test"].append(folder)
        elif not (_OTHER_SPLIT.fullmatch(folder.name) and divided):
            others.append(folder)
    found = [folder for named in splits.values() for folder in named]
    if not found:
        if split != "train":
            raise ValueError(
                f"split={split!r}: {path} has no folders 'train' and 'test', "
                "so all of it is split 'train'"
            )
        if not others:
            raise ValueError(f"{path} should hold one folder of images a class; it has no folder")
        return {"train": others, "test": []}
    if others:
        raise ValueError(
            f"{path} holds {found[0].name!r}, named like a split, beside {others[0].name!r}, which "
            "is none; move the splits, or the classes, into a folder of their own"
        )
    for name, named in splits.items():
        if len(named) > 1:
            raise ValueError(
                f"{path} holds {named[0].name!r} and {named[1].name!r}, both named like the split "
                f"{name!r}; keep one"
            )
    if not splits[split]:
        raise ValueError(f"split={split!r}: {path} has no folder {split!r}")
    return {name: _classes_below(named[0]) if named else [] for name, named in splits.items()}


def _classes_below(folder: Path) -> list[Path]:
    """Class folders of a split; through one more folder of the split's name, as Kaggle packs it."""
    inside = _subfolders(folder)
    if len(inside) == 1 and inside[0].name == folder.name and not _has_pictures(inside[0]):
        return _subfolders(inside[0])
    return inside


def _subfolders(path: Path) -> list[Path]:
    """Folders by name, but for hidden ones and links to this folder or one above it."""
    real = path.resolve()
    found = [entry for entry in path.iterdir() if entry.is_dir() and not _is_hidden(entry)]
    return sorted(entry for entry in found if not real.is_relative_to(entry.resolve()))


def _is_hidden(entry: Path) -> bool:
    return entry.name.startswith(".") or entry.name in _LEFT_OUT


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in _ENDINGS


def _has_pictures(folder: Path) -> bool:
    """In the folder itself."""
    return any(_is_picture(entry) for entry in folder.iterdir() if entry.is_file())


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, by name, but for hidden ones."""
    for entry in sorted(folder.iterdir()):
        if entry.is_file() and not _is_hidden(entry):
            yield entry
    for below in _subfolders(folder):
        yield from _files(below)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """DatasetDamaged where Pillow fails; ValueError: it knows no way from the file's colours."""
    try:
        yield
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        text = (
            f"{file} can't be read as an image ({error}); repair it, or move it out of the folder"
        )
        raise DatasetDamaged(text) from error


def _look(file: Path) -> _Picture:
    """Size and colour of a file, without its pixels."""
    with _reading(file), Image.open(file) as picture:
        width, height = picture.size
        if picture.getexif().get(0x0112, 1) >= 5:  # Exif's orientation: lies on its side
            width, height = height, width
        return _Picture(file, _is_grey(picture), (height, width))


def _is_grey(picture: Image.Image) -> bool:
    """Whether a file is stored without colour: by its mode, or by a palette of greys."""
    if picture.mode in ("P", "PA") and picture.palette is not None:
        picture.load()  # older Pillows have the file's own bytes until then
        colours = np.frombuffer(picture.palette.tobytes(), np.uint8)
        channels = len(picture.palette.mode)
        rgb = colours[: len(colours) // channels * channels].reshape(-1, channels)[:, :3]
        return bool((rgb == rgb[:, :1]).all())
    return picture.mode in _GREY


def _decode(file: Path, grey: bool) -> tuple[int, Image.Image]:
    """The largest value of a file of 16 bits (else 0), and its picture with 8 bits, upright."""
    with _reading(file):
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened)
            picture.load()
        highest = 0
        if picture.mode == "I" and opened.format == "PNG" or picture.mode in _SIXTEEN_BITS:
            values = np.asarray(picture).astype(np.int64)
            highest = int(values.max())
            picture = Image.fromarray(((values + 128) // 257).astype(np.uint8))
        elif picture.mode in ("I", "F"):
            kind = "floating point" if picture.mode == "F" else "32 bits"
            raise DatasetDamaged(
                f"{file} holds values of {kind}, which have no fixed scale; convert it to 8 bits"
            )
        if picture.has_transparency_data:
            seen = picture.convert("RGBA")
            white = Image.new("RGBA", seen.size, "white")
            picture = Image.alpha_composite(white, seen)
        return highest, picture.convert("L" if grey else "RGB")
