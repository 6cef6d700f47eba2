"""Files that appear whole or not at all, and folders that one process at a time works in."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class StorageError(RuntimeError):
    """A file could not be written or read; the text names it, the reason and the way out."""


class FolderBusy(RuntimeError):
    """Another process works in the folder."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no reader and no crash ever sees half of it.

    Raises
    ------
    StorageError
        A full disk or a read-only folder, say. What stood at path before is still there.
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
def only_here(folder: Path) -> Iterator[None]:
    """Work in a folder that no other process works in meanwhile.

    The operating system releases the lock when the process ends, however it ends, so nothing has
    to be cleaned up after a crash.

    Raises
    ------
    FolderBusy
        Another process holds the folder.
    StorageError
        The folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a")
    except OSError as error:
        raise StorageError(
            f"{folder} can't be used: {error.strerror or error}. Choose another --folder or allow writing to it"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderBusy(f"{folder} is being worked in by another process") from error
        yield


def remove_leftovers(folder: Path) -> None:
    """Delete what killed writers left aside; call it while the folder is held."""
    for path in folder.glob(".*.[0-9]*"):
        path.unlink(missing_ok=True)
