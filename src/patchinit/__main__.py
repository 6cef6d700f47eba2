"""The command `patchinit`, also ``python -m patchinit``."""

import sys

from .needs import NotInstalled


def main() -> int:
    """The command line of training runs, or a line that says what it needs."""
    try:
        from .experiments import cli
    except NotInstalled as error:
        print(f"patchinit: {error}", file=sys.stderr)
        return 1
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
