"""Run a command while no other build is at work in this folder: python -m tools.alone COMMAND..."""

import subprocess
import sys
from pathlib import Path

from tools.files import one_at_a_time

if __name__ == "__main__":
    try:
        with one_at_a_time(Path("_build/lock")):
            # A make below this one finds the pipe by which makes share their jobs.
            sys.exit(subprocess.run(sys.argv[1:], check=False, close_fds=False).returncode)
    except KeyboardInterrupt:
        sys.exit("interrupted")
