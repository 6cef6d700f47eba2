"""What chapters cost where a process may use one processor and sees them all, as on Binder.

Executes each chapter in a control group with a quota of processor time (version 1 or 2; this needs
root), and prints seconds, peak memory, and the seconds for which the group had to wait for its
share. Ends with status 1 if a chapter takes more than 90 s or 1.1 GB.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
GROUPS = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds
SECONDS, GB = 90, 1.1


@contextlib.contextmanager
def group(processors: float) -> Iterator[Path]:
    """A new control group with a quota; its `cgroup.procs` takes processes in."""
    if (GROUPS / "cgroup.controllers").exists():
        place, files = GROUPS, {"cpu.max": f"{int(processors * PERIOD)} {PERIOD}"}
    else:
        found = [path for path in (GROUPS / "cpu", GROUPS / "cpu,cpuacct") if path.is_dir()]
        if not found:
            sys.exit(f"no control groups in {GROUPS}: this needs Linux")
        place, files = found[0], {
            "cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(int(processors * PERIOD)),
        }  # fmt: skip
    made = place / f"patchinit-{os.getpid()}"
    try:
        if place == GROUPS:  # version 2: groups below have only what is handed down
            (place / "cgroup.subtree_control").write_text("+cpu")
        made.mkdir()
    except OSError as error:
        sys.exit(f"{made} can't be made ({error.strerror}): run this as root, outside a container")
    try:
        for name, value in files.items():
            (made / name).write_text(value)
        yield made
    finally:
        for _ in range(50):  # the last process may still be leaving
            with contextlib.suppress(OSError):
                made.rmdir()
                break
            time.sleep(0.1)


def throttled(made: Path) -> float:
    """Seconds for which processes of the group had to wait for their share."""
    stat = dict(line.split() for line in (made / "cpu.stat").read_text().splitlines())
    return int(stat.get("throttled_time", 0)) / 1e9 + int(stat.get("throttled_usec", 0)) / 1e6


def main() -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", help="01 02 ... (default: all)")
    parser.add_argument("--processors", type=float, default=1.0, help="the quota (default: 1)")
    options = parser.parse_args()
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    chapters = [p for p in paths if not options.chapters or p.stem[:2] in options.chapters]
    print(f"{'chapter':<28}{'seconds':>9}{'GB':>7}{'waited':>9}")
    above = False
    for chapter in chapters:
        with group(options.processors) as made, tempfile.TemporaryDirectory() as folder:
            enter = f'echo $$ > "{made}/cgroup.procs" && exec "$@"'
            target = Path(folder) / chapter.name
            command = [sys.executable, "-m", "tools.execute", str(chapter), str(target)]
            subprocess.run(
                ["sh", "-c", enter, "sh", *command], cwd=ROOT, check=True,
                env=os.environ | {"PATCHINIT_OFFLINE": "1"}, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            cost = json.loads(target.with_suffix(".json").read_text())
            seconds, memory = cost["seconds"], cost["peak_memory"] / 1e9
            above |= seconds > SECONDS or memory > GB
            cells = f"{seconds:>9.0f}{memory:>7.2f}{throttled(made):>9.0f}"
            print(f"{chapter.stem:<28}{cells}", flush=True)
    return int(above)


if __name__ == "__main__":
    sys.exit(main())
