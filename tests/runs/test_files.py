"""Locks where the file system has none: a text with a way out, or a marker, and no bare OSError."""

import errno
import os
import warnings

import pytest

from companion.runs.files import FolderBusy, StorageError, exclusive_lock
from companion.runs.local import EXPECTED

fcntl = pytest.importorskip("fcntl")


@pytest.fixture
def flock(monkeypatch):
    """Makes `flock` fail as on a file system of a cluster, say."""

    def fail(number):
        def refuse(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)

    return fail


@pytest.mark.parametrize("name", ["ENOLCK", "EOPNOTSUPP", "EIO", "EINVAL"])
def test_file_system_that_refuses_to_lock(flock, tmp_path, name):
    flock(getattr(errno, name))
    with pytest.raises(StorageError, match="can't be used: .* on a disk that can be written and l"):
        with exclusive_lock(tmp_path / "run" / "lock"):
            pytest.fail("nobody holds the folder")
    assert StorageError in EXPECTED, "which the command tells in a line"


def test_file_system_without_locks(flock, tmp_path):
    """A marker file takes the lock's place, with a warning, and is gone afterwards."""
    flock(errno.ENOSYS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with exclusive_lock(tmp_path / "lock"):
            with pytest.raises(FolderBusy), exclusive_lock(tmp_path / "lock"):
                pass
        with exclusive_lock(tmp_path / "lock"):
            pass


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="Choose another"),
        exclusive_lock(tmp_path / "file" / "run" / "lock"),
    ):
        pass
