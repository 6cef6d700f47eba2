"""Fetch the published data sets that are missing: python -m tools.data

Chapters do without, on stand-ins. Where PATCHINIT_REQUIRE_DATA is set, as for a build that is to be
published, what can't be had is an error, here and in the gates.
"""

import os
import sys

from patchinit.data import DATASETS, PUBLISHED, DatasetDamaged, DatasetUnavailable, load_images


def main() -> None:
    missing = False
    for name in PUBLISHED:
        try:
            load_images(name)
            found = "is there"
        except (DatasetUnavailable, DatasetDamaged) as error:
            missing, found = True, f"cannot be had: {str(error).splitlines()[0]}"
        print(f"{DATASETS[name].label} {found}")
    if missing and os.environ.get("PATCHINIT_REQUIRE_DATA"):
        sys.exit("PATCHINIT_REQUIRE_DATA is set, so no stand-in may take the place of these data")
    if missing:
        print("Chapters use a stand-in instead")


if __name__ == "__main__":
    main()
