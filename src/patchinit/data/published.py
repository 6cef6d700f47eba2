"""CIFAR-10 and Fashion-MNIST through torchvision, every file held against a published digest."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from torchvision import datasets
from torchvision.datasets.utils import check_integrity

from .download import fetch

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


def default_root() -> Path:
    """Where published data sets are looked for: see `load_images`.

    Examples
    --------
    >>> batches = default_root() / "cifar-10-batches-py"  # where CIFAR-10 lies, or is put
    """
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


def ensure(name: str, root: Path, download: bool) -> None:
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
