"""Writing files so that neither an interruption nor an unchanged content costs anything later."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout


def write_whole(path: Path, text: str) -> None:
    """Write aside, then move into place: nobody meets half a file, and the last writer wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)  # there only if something failed


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which the system frees however its holder ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print("Another build is at work in this folder: waiting for it", flush=True)
            lock.acquire()
    except OSError as error:
        print(f"{path} can't be locked ({error.strerror}): start no second build", flush=True)
    try:
        yield
    finally:
        lock.release()


def write_if_changed(path: Path, text: str) -> None:
    """As `write_whole`, but a file that already says so keeps its time stamp."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def sync(wanted: dict[Path, Path], folder: Path) -> None:
    """Make `folder` hold exactly the copies `wanted` (path within the folder: source).

    An equal file keeps its time: Sphinx reads again only what is newer than its last reading.
    """
    for place, source in wanted.items():
        target = folder / place
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder) not in wanted:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
