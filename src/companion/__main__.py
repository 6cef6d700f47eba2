"""The command of training runs: ``python -m companion run``, `status`, `collect`, `studies`."""

import sys

from .runs.cli import main

if __name__ == "__main__":
    sys.exit(main())
