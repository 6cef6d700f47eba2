"""Execute the chapters that are due: python -m tools.chapters [--jobs N]

A chapter is due if anything differs from what it was last made from: the notebook, a file that it
imports, itself or through other modules, the results if it reads them, the packages, or which data
files are there (pages made from stand-ins are made again once the real data has come).
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from tools.environment import adopt, environment
from tools.files import write_whole
from tools.imports import READS_RESULTS, code_of, needed

# Elsewhere a library may have threads as soon as it is imported, which a fork must not copy.
FORKS = sys.platform == "linux"
EXECUTED = Path("_build/executed")
FETCHED = Path("_build/data-fetched")
BUILDER = [
    Path("requirements.lock"),
    *(Path("tools", f"{m}.py") for m in ("execute", "kernels", "pictures")),
]


def data_files() -> list[str]:
    """Names of the published data's files, as far as they are there."""
    folder = Path(os.environ.get("PATCHINIT_DATA") or "data").expanduser()
    names = {name for *_, files in os.walk(folder, followlinks=True) for name in files}
    return sorted(name for name in names if "_batch" in name or name.endswith("-ubyte"))


digest = cache(lambda path: hashlib.sha256(path.read_bytes()).hexdigest())


def made_from(notebook: Path) -> str:
    """A digest of all that the chapter would be made from now."""
    files = {notebook, *BUILDER, *needed(code_of(notebook))}
    if READS_RESULTS in files:
        files |= {path for path in Path("results").rglob("*") if path.is_file()}
    parts = [sys.version, *data_files(), *(f"{path} {digest(path)}" for path in sorted(files))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def record(target: Path) -> dict:
    """What is noted beside an executed chapter, or nothing."""
    path = target.with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8")) if target.exists() & path.exists() else {}


def due() -> dict[Path, str]:
    """The chapters to execute, those that took longest first, with what they are made from."""
    now = {path: made_from(path) for path in sorted(Path("notebooks").glob("*.ipynb"))}
    known = {path: record(EXECUTED / path) for path in now}
    changed = [path for path in now if known[path].get("made_from") != now[path]]
    return {p: now[p] for p in sorted(changed, key=lambda p: -known[p].get("seconds", 0))}


def chapter(path: Path, made: str) -> None:
    """Execute a chapter, in a process of its own."""
    from tools import kernels
    from tools.execute import run

    with kernels.forked_kernel() if FORKS else nullcontext():
        run(path, EXECUTED / path, made)


def execute(chapters: dict[Path, str], jobs: int) -> bool:
    """Run `jobs` chapters side by side; whether all went well. After a failure none is begun."""
    from tools import kernels  # and all that Jupyter needs for a kernel

    if FORKS:
        codes = list(map(code_of, chapters))
        modules = set().union(*map(needed, codes))
        codes += [path.read_text("utf-8") for path in modules if path.suffix == ".py"]
        kernels.import_all(codes, jobs)
    context = kernels.FORK if FORKS else get_context("spawn")
    running: list[BaseProcess] = []
    waiting, well = list(chapters.items()), True
    while running or waiting and well:
        while waiting and well and len(running) < jobs:
            running.append(context.Process(target=chapter, args=waiting.pop(0)))
            running[-1].start()
        wait([process.sentinel for process in running])
        well &= not any(process.exitcode for process in running)
        running = [process for process in running if process.exitcode is None]
    return well


def main() -> None:
    parser = argparse.ArgumentParser("tools.chapters")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    # Fetched the first time, before chapters that run side by side would; later by `make data`.
    if not FETCHED.exists():
        if status := subprocess.run([sys.executable, "-m", "tools.data"], check=False).returncode:
            sys.exit(status)
        write_whole(FETCHED, "")
    # Offline: a dead network is waited for once, not once a chapter.
    os.environ["PATCHINIT_OFFLINE"] = "1"
    if not (chapters := due()):
        return
    if os.environ.get("IPYTHONDIR") != environment()["IPYTHONDIR"]:
        adopt()  # and start anew: parts of it are read when Python starts
        os.execv(sys.executable, [sys.executable, "-m", "tools.chapters", *sys.argv[1:]])
    try:
        if not execute(chapters, given.jobs):
            sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("interrupted")


if __name__ == "__main__":
    main()
