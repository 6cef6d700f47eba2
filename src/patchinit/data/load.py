"""Load one split of any data set by its name or path."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

from .catalogue import DATASETS, PUBLISHED
from .folders import holds_pictures, read_folder
from .images import SPLITS, Images
from .published import DatasetUnavailable, default_root, ensure, read
from .stand_ins import StandInWarning, digits, photos


def load_images(
    name: str | os.PathLike | None = None,
    split: str = "train",
    *,
    default: str = "cifar10",
    size: tuple[int, int] | None = None,
    root: str | os.PathLike | None = None,
    download: bool | None = None,
) -> Images:
    """Load one split of a data set.

    Parameters
    ----------
    name : str, path or None
        ``"cifar10"`` or ``"fashion_mnist"`` (digests checked); ``"photos"``
        (32x32 crops of scikit-learn's two sample photographs, two classes) or ``"digits"``
        (scikit-learn's digits at 28x28), which need no network; or the path of a folder with one
        folder of images a class (or with ``train/`` and ``test/`` folders of such); see
        `patchinit.data.folders.read_folder`. Where that has a data set's name, write ``./`` before
        it or pass a Path. None: `default`, or, if that can't be had, its offline stand-in, with a
        StandInWarning; a data set that is named is never replaced.
    split : {"train", "test"}
    default : {"cifar10", "fashion_mnist"}
        What None stands for.
    size : (H, W), optional
        For a folder: resize every image. Without it, all must have one size.
    root : path, optional
        Where the published data sets lie or are put. Default: the environment variable
        PATCHINIT_DATA, else ``data/`` in the book's folder, else ``data/`` in the current one.
    download : bool, optional
        Fetch what is missing. Default: yes, unless the environment variable PATCHINIT_OFFLINE
        is set.

    Returns
    -------
    Images
        uint8 (N, C, H, W), int64 (N,) and class names. Greyscale has C = 1.

    Raises
    ------
    DatasetUnavailable
        Not on disk, and not to be fetched (no answer for 10 s).
    DatasetDamaged
        A file does not match its published digest, or an image can't be read; the text names it.
    ValueError
        An unknown name or split, or a folder without images or with images of several sizes.

    Examples
    --------
    >>> load_images("photos")
    5,700 train images of photos, 3 x 32 x 32
    """
    if split not in SPLITS:
        raise ValueError(f"split={split!r} should be one of {SPLITS}")
    root = default_root() if root is None else Path(root).expanduser()
    download = not os.environ.get("PATCHINIT_OFFLINE") if download is None else download
    if name is None:
        if default not in PUBLISHED:
            raise ValueError(f"default={default!r} should be one of {PUBLISHED}")
        stand_in = DATASETS[default].stand_in
        try:
            return load_images(default, split, root=root, download=download)
        except DatasetUnavailable as error:
            warnings.warn(f"{error}. Using {stand_in!r} instead", StandInWarning, stacklevel=2)
            return replace(load_images(stand_in, split), stand_in_for=default)
    folder = Path(name).expanduser()
    if isinstance(name, str) and name in DATASETS and holds_pictures(folder):
        raise ValueError(
            f"name={name!r} is a data set and also a folder of pictures here; write './{name}' for "
            "the folder, or go elsewhere for the data set"
        )
    if isinstance(name, os.PathLike) and folder.is_dir():
        return read_folder(folder, split, size)
    if name in PUBLISHED:
        ensure(name, root, download)
        return Images(*read(name, split, root), name, split)
    if name == "photos":
        return photos(split)
    if name == "digits":
        return digits(split)
    if folder.is_dir():
        return read_folder(folder, split, size)
    raise ValueError(
        f"name={str(name)!r} is neither one of {tuple(DATASETS)} nor an existing folder"
    )
