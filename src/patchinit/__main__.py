"""The command `patchinit`, which was that of training runs until version 0.1."""

import sys


def main() -> int:
    """Say where the commands of training runs have gone."""
    commands = "run, status, collect, studies, check"
    text = f"training runs are made by `python -m companion` ({commands}), in a clone of the book"
    print(f"patchinit: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
