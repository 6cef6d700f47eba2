"""Say which data sets are there: python -m tools.data_state STAMP [--download]

Chapters depend on the stamp, so those made from stand-ins are executed again once the real data
has come. What is missing is downloaded the first time, before the chapters run side by side and
would fetch the same file together, and after that only if asked for: with no network each build
would wait for it again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tools.files import write_if_changed

FILES = {
    "cifar10": [
        "cifar-10-batches-py/" + name
        for name in ["batches.meta", "test_batch", *(f"data_batch_{n}" for n in range(1, 6))]
    ],
    "fashion_mnist": [
        "FashionMNIST/raw/" + name
        for name in [
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ]
    ],
}


def data_root() -> Path:
    """Where the module looks: PATCHINIT_DATA, or data/ in the repository."""
    return Path(os.environ.get("PATCHINIT_DATA") or "data").expanduser().resolve()


def found(root: Path) -> list[str]:
    """Names of the data sets that lie complete under `root`."""
    return [name for name, files in FILES.items() if all((root / file).is_file() for file in files)]


def download(names: list[str], root: Path) -> None:
    """Fetch each data set; what cannot be had is said in a line, and its stand-in serves."""
    os.environ["PATCHINIT_DATA"] = str(root)
    from patchinit.data import load_images

    for name in names:
        try:
            load_images(name, download=True)
        except Exception as error:  # any failure has the same outcome, and its text says which
            reason = (str(error) or type(error).__name__).splitlines()[0]
            print(f"{name} cannot be had ({reason}); chapters use a stand-in instead", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stamp", type=Path)
    parser.add_argument("--download", action="store_true", help="try again what was not to be had")
    given = parser.parse_args(arguments)

    root = data_root()
    missing = [name for name in FILES if name not in found(root)]
    if missing and (given.download or not given.stamp.exists()):
        download(missing, root)
    state = "".join(f"{name}\n" for name in found(root))
    write_if_changed(given.stamp, state)
    words = [f"{name} {'found' if name in state.split() else 'absent'}" for name in FILES]
    print("Data: " + ", ".join(words), flush=True)


if __name__ == "__main__":
    main()
