"""Files that appear whole or not at all, and folders that one process at a time works in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout


class StorageError(RuntimeError):
    """A file could not be written or read; the text names it, the reason and the way out."""


class FolderBusy(RuntimeError):
    """Another process works in the folder."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no reader and no crash ever sees half of it.

    StorageError for a full disk or a read-only folder, say: what stood there before still does.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut can leave the new name on an empty file
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}. Finished runs are intact; "
            "make room or choose another --folder, then give the same command again"
        ) from error


@contextlib.contextmanager
def exclusive_lock(lock: Path) -> Iterator[None]:
    """Work in a file's folder, which no other process that asks for it works in meanwhile.

    The operating system releases the lock when the process ends, however it ends, so nothing
    has to be cleaned up after a crash; the file stays there, empty. Where the file system has no
    locks, filelock warns, and the file is a marker: it names its process and is gone afterwards,
    and one that a crash left is taken over on the same machine. (filelock 3.24 to 4.0.12 lets two
    processes in there.) FolderBusy at once if another process holds it; StorageError if the folder
    can't be written, or its file system refuses to lock.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock, timeout=0)
        held.acquire()
    except Timeout as error:
        raise FolderBusy(f"{lock.parent} is being worked in by another process") from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(
            f"{lock.parent} can't be used: {reason}. "
            "Choose another, on a disk that can be written and locked"
        ) from error
    try:
        yield
    finally:
        held.release()


def remove_leftovers(folder: Path) -> None:
    """Delete what killed writers left aside; call it while the folder is held."""
    for path in folder.glob(".*.[0-9]*"):
        path.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Have a folder's names on the disk: a power cut can't lose these and keep later writes."""
    with contextlib.suppress(
        OSError
    ):  # Windows opens no folders, and some file systems can't do this
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
