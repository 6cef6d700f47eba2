"""Image sets: CIFAR-10 and Fashion-MNIST, a folder of one's own, and offline stand-ins."""

from __future__ import annotations

import hashlib
import html
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from sklearn.datasets import load_digits, load_sample_images
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import check_integrity

from .download import fetch

STAND_INS = {"cifar10": "photos", "fashion_mnist": "digits"}
SPLITS = ("train", "test")

# torchvision keeps digests of Fashion-MNIST's archives only; these are of what they unpack to.
_FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class DatasetUnavailable(RuntimeError):
    """A data set is not on disk and could not be fetched."""


class DatasetDamaged(RuntimeError):
    """A file of a data set is not what was published, or can't be read."""


class StandInWarning(UserWarning):
    """The default data set could not be had and another one took its place."""


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images of one split. Unpacks as ``images, labels, classes``."""

    images: Tensor  #: (N, C, H, W), uint8
    labels: Tensor  #: (N,), int64, indices into classes
    classes: tuple[str, ...]
    name: str
    split: str  #: "train" or "test"
    stand_in_for: str | None = None  #: the data set that could not be had

    def __iter__(self) -> Iterator:
        return iter((self.images, self.labels, self.classes))

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Images:
        """n of the images, drawn uniformly without replacement."""
        if not 1 <= n <= len(self):
            raise ValueError(
                f"n={n} should be between 1 and {len(self)}, the {self.split} images of {self.name}"
            )
        chosen = torch.randperm(len(self), generator=generator)[:n]
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def __repr__(self) -> str:
        channels, height, width = self.images.shape[1:]
        text = f"{len(self):,} {self.split} images of {self.name}, {channels} x {height} x {width}"
        return f"{text}, standing in for {self.stand_in_for}" if self.stand_in_for else text

    def _repr_html_(self) -> str:
        if self.stand_in_for is None:
            return f'<p class="data-source">{html.escape(repr(self))}</p>'
        return (
            '<div class="admonition warning stand-in">'
            '<p class="admonition-title">Stand-in data</p><p>'
            f"{html.escape(self.stand_in_for)} could not be had where this page was made. "
            f"It was computed on {html.escape(self.name)} instead ({html.escape(repr(self))}): "
            "its numbers say nothing about the paper.</p></div>"
        )


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
        ``"cifar10"`` or ``"fashion_mnist"`` (through torchvision, digests checked); ``"photos"``
        (32x32 crops of scikit-learn's two sample photographs, two classes) or ``"digits"``
        (scikit-learn's digits at 28x28), which need no network; or the path of a folder with one
        folder of images a class (or with ``train/`` and ``test/`` folders of such).
        A data set that is named is never replaced by another. None: `default`, or, if that can't
        be had, its offline stand-in, with a StandInWarning.
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
        Not on disk, and not to be fetched (no answer for 10 s, say).
    DatasetDamaged
        A file does not match its published digest, or an image can't be read; the text names it.
    ValueError
        An unknown name or split, or a folder without images or with images of several sizes.
    """
    if split not in SPLITS:
        raise ValueError(f"split={split!r} should be one of {SPLITS}")
    root = default_root() if root is None else Path(root)
    download = not os.environ.get("PATCHINIT_OFFLINE") if download is None else download
    if name is None:
        if default not in STAND_INS:
            raise ValueError(f"default={default!r} should be one of {tuple(STAND_INS)}")
        try:
            return load_images(default, split, root=root, download=download)
        except DatasetUnavailable as error:
            warnings.warn(
                f"{error}. Using {STAND_INS[default]!r} instead", StandInWarning, stacklevel=2
            )
            return replace(load_images(STAND_INS[default], split), stand_in_for=default)
    if name in STAND_INS:
        _ensure(name, root, download)
        kind = datasets.CIFAR10 if name == "cifar10" else datasets.FashionMNIST
        found = kind(root, train=split == "train", download=False)
        pixels = torch.as_tensor(found.data)  # (N, H, W, 3) or (N, H, W)
        pixels = pixels.permute(0, 3, 1, 2) if name == "cifar10" else pixels[:, None]
        return Images(
            pixels.contiguous(), torch.as_tensor(found.targets), tuple(found.classes), name, split
        )
    if name == "photos":
        return _photos(split)
    if name == "digits":
        return _digits(split)
    if Path(name).is_dir():
        return _folder(Path(name), split, size)
    known = (*STAND_INS, *STAND_INS.values())
    raise ValueError(f"name={str(name)!r} is neither one of {known} nor an existing folder")


def default_root() -> Path:
    """Where published data sets are looked for: see `load_images`."""
    if os.environ.get("PATCHINIT_DATA"):
        return Path(os.environ["PATCHINIT_DATA"])
    here = Path.cwd()
    book = next(
        (folder for folder in (here, *here.parents) if (folder / "_toc.yml").exists()), here
    )
    return book / "data"


def _files(name: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """Folder below the root, and file name -> (kind of digest, digest)."""
    if name == "cifar10":
        listed = datasets.CIFAR10
        pairs = [
            *listed.train_list,
            *listed.test_list,
            (listed.meta["filename"], listed.meta["md5"]),
        ]
        return listed.base_folder, {file: ("md5", digest) for file, digest in pairs}
    return "FashionMNIST/raw", {
        file: ("sha256", digest) for file, digest in _FASHION_SHA256.items()
    }


def _ensure(name: str, root: Path, download: bool) -> None:
    """Check the files of a published data set against their digests; fetch it if any is absent."""
    folder, files = _files(name)
    if not all((root / folder / file).is_file() for file in files):
        if not download:
            raise DatasetUnavailable(f"{name} is not in {root} and downloading is off")
        _download(name, root)
    for file, (kind, digest) in files.items():
        path = root / folder / file
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, kind).hexdigest() != digest:
                raise DatasetDamaged(
                    f"{path} is damaged: its {kind} digest is not the published one. "
                    "Delete this file and load again: the data set is then fetched anew"
                )


def _download(name: str, root: Path) -> None:
    """Fetch and unpack beside the place, then move there whole."""
    folder, _ = _files(name)
    try:
        root.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".download-", dir=root))
    except OSError as error:
        raise DatasetUnavailable(
            f"{name} is not in {root}, and that folder can't be written: {error}"
        ) from error
    try:
        if name == "cifar10":
            kind = datasets.CIFAR10
            archives = [(kind.url, aside / kind.filename, kind.tgz_md5)]
        else:
            kind = datasets.FashionMNIST
            raw = aside / folder
            raw.mkdir(parents=True)
            archives = [(kind.mirrors[0] + file, raw / file, md5) for file, md5 in kind.resources]
        for url, path, md5 in archives:
            try:
                fetch(url, path)
            except OSError as error:
                text = f"{name} is not in {root} and could not be fetched ({url}: {error})"
                raise DatasetUnavailable(text) from error
            if not check_integrity(path, md5):
                raise DatasetDamaged(
                    f"{url} gave a file that is not the published one (md5 differs); "
                    "try again later"
                )
        kind(aside, download=True)  # unpacks: the archives are there and sound
        destination = root / folder
        destination.parent.mkdir(parents=True, exist_ok=True)
        for path in (aside / folder).iterdir():
            destination.mkdir(exist_ok=True)
            path.replace(destination / path.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _photos(split: str) -> Images:
    """32x32 crops on a grid of 8 pixels.

    The test crops come from the right quarter, the rest from the left.
    """
    crops, labels = [], []
    photos = load_sample_images().images  # china, flower: (427, 640, 3), uint8
    for label, photo in enumerate(photos):
        cut = photo.shape[1] * 3 // 4  # no pixel is in both splits
        part = torch.from_numpy(
            np.array(photo[:, :cut] if split == "train" else photo[:, cut:])
        ).permute(2, 0, 1)
        windows = part.unfold(1, 32, 8).unfold(2, 32, 8)  # (3, rows, cols, 32, 32)
        crops.append(windows.permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32))
        labels += [label] * len(crops[-1])
    return Images(torch.cat(crops), torch.tensor(labels), ("china", "flower"), "photos", split)


def _digits(split: str) -> Images:
    """scikit-learn's 8x8 digits, resized to 28x28; every fifth is a test image."""
    found = load_digits()
    keep = (np.arange(len(found.target)) % 5 == 0) == (split == "test")
    small = torch.from_numpy(found.images[keep]).float()[:, None] * (255 / 16)
    large = torch.nn.functional.interpolate(
        small, size=(28, 28), mode="bilinear", align_corners=False
    )
    names = tuple(str(digit) for digit in found.target_names)
    return Images(
        large.round().to(torch.uint8), torch.from_numpy(found.target[keep]), names, "digits", split
    )


def _folder(path: Path, split: str, size: tuple[int, int] | None) -> Images:
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
