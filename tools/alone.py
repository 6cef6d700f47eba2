"""Run a command while no other build is at work in this folder: python -m tools.alone COMMAND..."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.files import one_at_a_time

if __name__ == "__main__":
    with one_at_a_time(Path("_build/lock")):
        sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
