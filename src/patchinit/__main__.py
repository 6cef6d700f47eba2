"""The command `patchinit`."""

import sys

MOVED = (
    "patchinit: training runs are made by `python -m companion` ({}), "
    "which comes with a clone of the book"
)


def main() -> int:
    """Say where the commands of training runs have gone."""
    commands = "run, status, collect, studies, check"
    print(MOVED.format(commands), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
