"""Fetch the published data sets that are missing: python -m tools.data"""

from __future__ import annotations

from patchinit.data import DATASETS, PUBLISHED, DatasetUnavailable, load_images


def main() -> None:
    for name in PUBLISHED:
        label = DATASETS[name].label
        try:
            load_images(name, download=True)
        except DatasetUnavailable as error:
            reason = str(error).splitlines()[0]
            print(f"{label} cannot be had ({reason}); chapters use a stand-in instead")
        else:
            print(f"{label} is there")


if __name__ == "__main__":
    main()
