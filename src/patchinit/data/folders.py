"""A folder of one's own, with one folder of pictures for each class."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from numbers import Integral
from pathlib import Path
from typing import Any

import torch

from .catalogue import DATASETS
from .images import SPLITS, Images
from .pictures import ENDINGS, is_picture, look, stacked

#: What a folder of a split may be called, in any case: train, Training, seg_test, val2017.
_SPLIT_NAME = re.compile(r"(?:.*[_\- ])?(?:(train)(?:ing)?|(test)(?:ing)?)\d*(?:[_\- ].*)?", re.I)
_OTHER_SPLIT = re.compile(
    r"(?:.*[_\- ])?(?:val|valid|validation|dev|eval|pred|prediction|unlabell?ed|unsup|extra)\d*"
    r"(?:[_\- ].*)?",
    re.I,
)
#: A folder that may stand between a split and its pictures, where no class is one.
_ALL_PICTURES = re.compile(r"images?|imgs?|pictures|photos|jpegimages", re.I)
_LEFT_OUT = ("Thumbs.db", "desktop.ini", "__MACOSX")  # beside all that begins with a dot


class SkippedFiles(UserWarning):
    """Files of a folder that are no pictures were left out; the text says how many."""


def read_folder(path: Path, split: str, size: tuple[int, int] | None) -> Images:
    """Images in class folders, one decoded at a time.

    The classes are those of all splits together, in alphabetical order, so that a label means the
    same in each; a split whose pictures are in no class folders (``val/*.jpg``) is left out.
    Hidden folders and files are left out (`.ipynb_checkpoints`, `.DS_Store`); other files that are
    no pictures are counted in a `SkippedFiles` warning. The images have one channel if every file
    is stored without colour (whatever its values), else three.

    What a file states of how it is to be seen is honoured or refused, file by file: white by its
    depth (16 bits are scaled to 8; of colour the upper eight are kept), whether white is 0, its
    palette, and Exif's orientation. Transparency is laid on white, CMYK becomes RGB by the plain
    formula. Of an animation the first frame is taken. Colour profiles, gamma and the shape of
    pixels are not applied: values are as stored, and pixels square.

    Raises
    ------
    ValueError
        No class folders or pictures; folders that are a split's by their name and a class's by
        their place; several sizes without `size`.
    DatasetDamaged
        A file can't be read, or not as what it is: values with a sign, of more than 16 bits or
        floating point, which have no fixed scale; 16 bits of which 12 or fewer seem to be in use;
        more bands than colour and transparency; a TIFF of several pages or of other colours. The
        text names the file, and what it holds.
    """
    _check_size(size)
    folders = _class_folders(path, split)
    classes = _check_classes(path, [folder for part in folders.values() for folder in part])
    pictures, labels, skipped = [], [], []
    for folder in folders[split]:
        for file in _files(folder):
            if is_picture(file):
                pictures.append(look(file))
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
    height, width = map(int, sizes[0] if size is None else size)
    images = stacked(pictures, grey, (height, width))
    name = os.path.basename(os.path.abspath(path))  # also of "." and ".."
    name = f"./{name}" if name in DATASETS else name  # as `load_images` is asked for it
    return Images(images, torch.tensor(labels), tuple(classes), name, split)


def holds_pictures(path: Path) -> bool:
    """Whether there is a picture in a folder, or below it."""
    return path.is_dir() and any(is_picture(file) for file in _files(path))


def _check_classes(path: Path, folders: list[Path]) -> list[str]:
    """Names of the classes, each of which has a picture in some split."""
    classes = sorted({folder.name for folder in folders})
    for name in classes:
        if not any(holds_pictures(folder) for folder in folders if folder.name == name):
            raise ValueError(
                f"{path} should hold one folder of images a class: {name!r} has none; "
                f"known endings are {', '.join(ENDINGS)}"
            )
    return classes


def _check_size(size: Any) -> None:
    pair = isinstance(size, (tuple, list)) and len(size) == 2
    if size is not None and not (
        pair and all(isinstance(k, Integral) and int(k) >= 1 for k in size)
    ):
        raise ValueError(f"size={size!r} should be a pair (H, W) of integers >= 1, as in (64, 64)")


def _class_folders(path: Path, split: str) -> dict[str, list[Path]]:
    """The class folders of each split; of "train" alone where the folder is not divided."""
    # A folder named like a split is one if it holds class folders; with pictures of its own it is
    # a class, of trains say, but beside a divided one a split whose pictures have no labels.
    splits: dict[str, list[Path]] = {name: [] for name in SPLITS}
    flat, others = [], []
    for folder in _subfolders(path):
        match, other = _SPLIT_NAME.fullmatch(folder.name), _OTHER_SPLIT.fullmatch(folder.name)
        if (match or other) and _is_flat(folder):
            flat.append(folder)
        elif not (match or other) or _has_pictures(folder) or not _subfolders(folder):
            others.append(folder)
        elif match:
            splits["train" if match[1] else "test"].append(folder)
    found = [folder for named in splits.values() for folder in named]
    if not found:
        others = sorted([*others, *flat])
        if split != "train":
            raise ValueError(
                f"split={split!r}: {path} has no folders 'train' and 'test' of class folders, "
                "so all of it is split 'train'"
            )
        if not others:
            raise ValueError(f"{path} should hold one folder of images a class; it has no folder")
        if len(flat) > 1 and others == flat:
            raise ValueError(
                f"{path} holds {flat[0].name!r} and {flat[1].name!r}, named like splits, which "
                "hold pictures and no class folders; put those of each class into one"
            )
        return {"train": others, "test": []}
    if others:
        raise ValueError(
            f"{path} holds {found[0].name!r}, named like a split, beside {others[0].name!r}, which "
            "is none; move the splits, or the classes, into a folder of their own"
        )
    for folder in flat:
        match = _SPLIT_NAME.fullmatch(folder.name)
        if match and not splits[split] and ("train" if match[1] else "test") == split:
            raise ValueError(
                f"split={split!r}: {folder} holds pictures and no class folders, so they have no "
                "labels; put those of each class into a folder"
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


def _is_flat(folder: Path) -> bool:
    """Whether a folder's pictures are all in one place, and so in no classes."""
    inside = [below for below in _subfolders(folder) if holds_pictures(below)]
    if _has_pictures(folder):
        return not inside
    name = inside[0].name if len(inside) == 1 else ""
    bundled = name == folder.name or bool(_ALL_PICTURES.fullmatch(name))
    return bundled and _is_flat(inside[0])


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


def _has_pictures(folder: Path) -> bool:
    """In the folder itself."""
    return any(is_picture(entry) for entry in folder.iterdir() if entry.is_file())


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, by name, but for hidden ones."""
    for entry in sorted(folder.iterdir()):
        if entry.is_file() and not _is_hidden(entry):
            yield entry
    for below in _subfolders(folder):
        yield from _files(below)
