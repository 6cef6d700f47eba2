"""What the book costs its writer and its reader, as ratios to a commit on the same machine.

    python benchmarks/book.py [--against COMMIT] [--parts word fresh memory first tests]

Both versions are checked out in a temporary folder, given an environment each, and built in turns.
Seconds are what the machine's processors were busy while a step ran, so it must be calm; those of
`fresh`, `make book` with the environment made, are by the clock. `word` is `make book` after a
changed word in one page, the median of three; `memory` the most that one process had of its own,
which is the heaviest chapter's; `first` what a browser loads for the first page before anything is
touched; `tests` the test files that the commit has, wherever they lie now. It takes half an hour.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools.browser import HEIGHT, WIDTHS, Browser  # noqa: E402
from tools.execute import own_memory  # noqa: E402

AIMS = {"word": 0.3, "fresh": 0.6, "memory": 0.8, "first": 0.7, "tests": 0.6}
UNITS = {"word": "s", "fresh": "s", "memory": "GB", "first": "MB", "tests": "s"}
# Test files that hold parts of one that git pairs with another.
SPLIT_OFF = [f"tests/runs/test_{n}.py" for n in ("collect", "device", "local", "pairing", "plan")]
SPLIT_OFF += ["tests/build/test_due_chapters.py"]  # was test_make.py
CALM = 5  # per cent of the processors that something else may take
PAGE = Path("book/reproduce.md")  # in which a word changes


class Took(NamedTuple):
    """What a step took.

    Seconds by the clock; processor seconds of the whole machine, since a browser's are not its
    parent's; and the most bytes that any of its processes had of its own at a time.
    """

    clock: float
    busy: float
    memory: int
    whose: str  # the command of that process


def busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


def named_memory(process: psutil.Process) -> tuple[int, str]:
    with contextlib.suppress(psutil.Error):
        return own_memory(process), " ".join(process.cmdline())[:99]
    return 0, ""


def run(tree: Path, *command: str, may_fail: bool = False) -> Took:
    """Run a command in a tree."""
    began, before, most = time.monotonic(), busy(), (0, "")
    with tempfile.TemporaryFile("w+") as printed:
        done = psutil.Popen(command, cwd=tree, stdout=printed, stderr=subprocess.STDOUT)
        while done.poll() is None:
            most = max([most, *map(named_memory, done.children(recursive=True))])
            time.sleep(0.2)
        took = Took(time.monotonic() - began, busy() - before, *most)
        if done.returncode:
            printed.seek(0)
            text = f"{' '.join(command)[:99]} failed in {tree}:\n{printed.read()[-4000:]}"
            print(text, flush=True) if may_fail else sys.exit(text)
    return took


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def word(tree: Path, number: int) -> float:
    """Change a word of a page, and make the book."""
    text = (tree / PAGE).read_text(encoding="utf-8")
    (tree / PAGE).write_text(f"{text.rstrip()} word{number}\n", encoding="utf-8")
    return run(tree, "make", "book").busy


def first_page(tree: Path) -> float:
    """Megabytes of the files that a browser asks for."""
    asked = set()

    def note(event: dict) -> None:
        if event.get("method") == "Network.requestWillBeSent":
            asked.add(event["params"]["request"]["url"])

    with Browser(note) as browser:
        page = browser.page()
        page.send("Network.enable")
        page.show(max(WIDTHS), HEIGHT, "light")
        page.open((tree / "_build/html/book/index.html").resolve().as_uri())
    files = {Path(unquote(urlsplit(url).path)) for url in asked if url.startswith("file:")}
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def test_files(commit: str) -> tuple[list[str], list[str]]:
    """(test files of the commit, the same where they lie now)."""
    before = [
        f for f in git("ls-tree", "-r", "--name-only", commit, "tests").split() if "/test_" in f
    ]
    moved = {}
    for line in git("diff", "--name-status", "-M25%", commit, "HEAD", "--", "tests").splitlines():
        kind, *names = line.split("\t")
        moved[names[0]] = names[-1] if kind.startswith("R") else names[0] if kind == "M" else ""
    now = {moved.get(name, name) for name in before} | set(SPLIT_OFF)
    return before, sorted(now - {""})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--against", default="1d3aeec", metavar="COMMIT")
    parser.add_argument("--parts", nargs="+", default=list(AIMS), choices=list(AIMS))
    given = parser.parse_args()
    if psutil.cpu_percent(3) > CALM:
        sys.exit("Other processes are at work, whose seconds would be counted: stop them first")
    data = Path(os.environ.get("PATCHINIT_DATA", ROOT / "data")).resolve()
    os.environ["PATCHINIT_DATA"] = str(data)
    wanted = set(given.parts)
    print(f"{'':<8}{given.against:>12}{'now':>12}{'ratio':>8}{'aim':>6}")

    def show(part: str, before: float, now: float) -> None:
        if part in wanted:
            cells = "".join(f"{value:>9.2f} {UNITS[part]:<2}" for value in (before, now))
            print(f"{part:<8}{cells}{now / before:>8.2f}{AIMS[part]:>6}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        trees = [Path(folder, name) for name in ("before", "now")]
        for tree, commit in zip(trees, (given.against, "HEAD"), strict=True):
            # A clone, so that an interrupted run leaves nothing behind in this repository.
            run(ROOT, "git", "clone", "--quiet", "--no-checkout", str(ROOT), str(tree))
            run(tree, "git", "checkout", "--quiet", git("rev-parse", commit).strip())
            run(tree, "make", "venv")
        if wanted - {"tests"}:
            fresh = [run(tree, "make", "book") for tree in trees]
            show("fresh", *(took.clock for took in fresh))
            show("memory", *(took.memory / 1e9 for took in fresh))
            if "memory" in wanted:
                print("\n".join(f"{'':<8}{took.whose}" for took in fresh))
            show("first", *map(first_page, trees))
        if "word" in wanted:
            words = [[word(tree, n) for tree in trees] for n in range(3)]
            show("word", *(median(of_tree) for of_tree in zip(*words, strict=True)))
        if "tests" in wanted:
            files = test_files(given.against)
            pytest = (".venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
            tests = [
                run(tree, *pytest, *names, may_fail=True)
                for tree, names in zip(trees, files, strict=True)
            ]
            show("tests", *(took.busy for took in tests))


if __name__ == "__main__":
    main()
