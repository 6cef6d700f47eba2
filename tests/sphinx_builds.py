"""Sphinx over a folder, in this process: what it imports is paid for once, not once a build."""

from __future__ import annotations

import contextlib
import copy
import io
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from sphinx.cmd.build import main
from sphinx.config import Config


@dataclass
class Build:
    """Exit status, and what was written on stderr."""

    returncode: int
    stderr: str


def sphinx_build(folder: Path, *options: str, builder: str = "html", out: str = "html") -> Build:
    """As `python -m sphinx -q -W` does it."""
    command = ["-q", "-W", *options, "-b", builder, str(folder), str(folder / out)]
    with _on_its_own() as said:
        return Build(main(command), said.getvalue())


def jupyter_book_build(folder: Path) -> None:
    """As `jupyter-book build` does it; fails where that would."""
    with _on_its_own():
        from jupyter_book.cli.main import main as command  # warns where it is imported

        command(["build", str(folder)], standalone_mode=False)


@contextlib.contextmanager
def _on_its_own() -> Iterator[io.StringIO]:
    """What Sphinx does not clean up after a build is put back; yields what it writes on stderr."""
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(said),
        patch.object(sys, "path", sys.path[:]),
        # Extensions write into the defaults, which all builds of a process share.
        patch.object(Config, "config_values", copy.deepcopy(Config.config_values)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # by default Python shows few of them, and none stops it
        yield said
