"""What Make executes again: chapters by what they import, and when other data has come."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import imports

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Three subpackages, of which a notebook needs two, or one figure of two."""
    files = {
        "__init__.py": "from .init import start",
        "init.py": "",
        "low/__init__.py": "",
        "low/numbers.py": "def f():\n    from . import lazy",
        "low/lazy.py": "",
        "high/__init__.py": "",
        "high/chart.py": (
            "from typing import TYPE_CHECKING\nfrom ..low.numbers import f\n"
            "if TYPE_CHECKING:\n    from ..other.runs import Run"
        ),
        "high/app/__init__.py": "",
        "high/app/app.js": "",
        "high/app/one.py": "",
        "high/app/one.js": "",
        "high/app/two.py": "",
        "high/app/two.css": "",
        "other/__init__.py": "",
        "other/runs.py": "import patchinit.high.app",
    }
    for name, text in files.items():
        path = tmp_path / "src/patchinit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("import numpy", ""),
        (
            "from patchinit.high.chart import draw",
            "__init__ init low/__init__ low/numbers low/lazy high/__init__ high/chart",
        ),
        (
            "from patchinit.other import runs",
            "__init__ init other/__init__ other/runs high/__init__ high/app/__init__"
            " high/app/app.js",
        ),
        (
            "from patchinit.high.app.one import page",
            "__init__ init high/__init__ high/app/__init__ high/app/app.js high/app/one"
            " high/app/one.js",
        ),
    ],
)
def test_made_up_notebook(package, code, needed):
    names = [name if "." in name else f"{name}.py" for name in needed.split()]
    assert imports.needed(code) == {Path("src/patchinit", name) for name in names}


def test_magic_lines_are_no_code(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text('{"cells": [{"cell_type": "code", "source": ["%pip install x\\n", "n = 1"]}]}')
    assert imports.imported(imports.code_of(path)) == set()


def files_of_chapter(number):
    (notebook,) = Path("notebooks").glob(f"{number:02}-*.ipynb")
    return {str(path) for path in imports.needed(imports.code_of(notebook))}


@pytest.mark.parametrize("number", range(1, 12))
def test_chapters_of_this_book(number, monkeypatch):
    """The first seven are not executed again after a change in what trains, or in a rule."""
    monkeypatch.chdir(ROOT)
    files = files_of_chapter(number)
    assert {"src/companion/pages/style.py", "src/patchinit/filters/bank.py"} <= files
    assert (str(imports.READS_RESULTS) in files) == (number >= 9)
    if number <= 7:
        above = {file for file in files if "/evidence/" in file or "/runs/" in file}
        assert not above


def test_a_figure_to_drag_is_of_its_own_chapter_alone(monkeypatch):
    monkeypatch.chdir(ROOT)
    folder = Path("src/companion/pages/widgets")
    apart = {number: files_of_chapter(number) for number in (1, *range(3, 7), *range(8, 13))}
    for name, number in (
        ("window", 1), ("sample_size", 3), ("your_image", 3), ("rebuilt", 4), ("lloyd", 5),
        ("morph", 6), ("three_seeds", 9), ("turn", 11), ("starts", 12),
    ):  # fmt: skip
        for suffix in (".py", ".html", ".js"):
            file = str(folder / f"{name}{suffix}")
            assert [n for n, files in apart.items() if file in files] == [number]
    for name in ("__init__.py", "network.js", "race.css", "race.html", "race.js"):
        file = str(folder / "race" / name)
        assert [n for n, files in apart.items() if file in files] == [8]


# --- The Makefile ---------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path):
    """Runs the Makefile in a folder of one chapter, whose execution copies it and says so."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    chapter = '{"cells": [{"cell_type": "code", "source": ["import patchinit.a"]}]}'
    for name, text in (
        ("notebooks/01-a.ipynb", chapter), ("src/patchinit/__init__.py", ""),
        ("src/patchinit/a.py", "from . import b"), ("src/patchinit/b.py", ""),
        ("tools/execute.py", ""), ("tools/pictures.py", ""), ("data/x", ""),
        ("requirements.lock", ""), ("pyproject.toml", ""),
        (".venv/.locked", ""), (".venv/.installed", ""),  # the environment is there
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "python").write_text(
        "#!/bin/sh\nshift\ncase $1 in\n  tools.data) echo fetching;;\n"
        f"  tools.imports) PYTHONPATH={ROOT} {sys.executable} -m tools.imports;;\n"
        '  tools.execute) echo executing; mkdir -p "$(dirname "$3")"; cp "$2" "$3";;\nesac\n'
    )
    (tmp_path / "python").chmod(0o755)

    def run(target="chapters"):
        done = subprocess.run(
            ["make", target, "PY=./python"],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "PATCHINIT_DATA"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if line.endswith("ing")]

    return run


def touch(path):
    """A change that is newer than everything, whatever the clock's resolution."""
    path.touch()
    newest = max(file.stat().st_mtime for file in path.parents[2].rglob("*")) + 2
    os.utime(path, (newest, newest))


def test_a_chapter_is_executed_again_for_what_it_imports(make, tmp_path):
    assert make() == ["fetching", "executing"]
    assert make() == []
    touch(tmp_path / "src/patchinit/other.py")
    assert make() == []
    touch(tmp_path / "src/patchinit/a.py")
    assert make() == ["executing"]


def test_a_chapter_is_executed_again_when_a_file_is_gone_or_new(make, tmp_path):
    """Make sees no date of what is not there; the rule of a chapter has one."""
    make()
    (tmp_path / "src/patchinit/b.py").unlink()
    assert make() == ["executing"]
    assert make() == []
    (tmp_path / "src/patchinit/b.py").write_text("")
    assert make() == ["executing"]
    (tmp_path / "src/patchinit/c.py").write_text("")
    assert make() == []


def test_chapters_made_from_stand_ins_are_executed_again_once_the_data_has_come(make, tmp_path):
    assert make() == ["fetching", "executing"]
    (tmp_path / "data/archive.tar.gz").touch()
    assert make() == []
    raw = tmp_path / "data/FashionMNIST/raw/train-images-idx3-ubyte"
    raw.parent.mkdir(parents=True)
    raw.touch()
    assert make() == ["executing"]
    assert make() == []
    assert make("data") == ["fetching"]
