"""Which chapters are executed, by what they are made from, and how: side by side, in forks."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from tests.tiny_book import SOURCE, step, write_book, write_chapter
from tools import chapters, imports

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


# --- Which chapters are due -----------------------------------------------------------------------


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A folder of one chapter, which imports a module that imports another."""
    chapter = '{"cells": [{"cell_type": "code", "source": ["import patchinit.a"]}]}'
    for name, text in (
        ("notebooks/01-a.ipynb", chapter), ("src/patchinit/__init__.py", ""),
        ("src/patchinit/a.py", "from . import b"), ("src/patchinit/b.py", ""),
        ("tools/execute.py", ""), ("tools/kernels.py", ""), ("tools/pictures.py", ""),
        ("data/x", ""), ("results/runs.csv", ""), ("requirements.lock", ""),
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PATCHINIT_DATA", raising=False)
    return tmp_path


def executed():
    """What is due, after which it counts as executed."""
    found = chapters.due()
    for path, made in found.items():
        target = chapters.EXECUTED / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("{}")
        target.with_suffix(".json").write_text(json.dumps({"seconds": 1, "made_from": made}))
    chapters.digest.cache_clear()
    return [path.name for path in found]


@pytest.mark.parametrize(
    ("changed", "is_due"),
    [
        ("notebooks/01-a.ipynb", True), ("src/patchinit/a.py", True), ("src/patchinit/b.py", True),
        ("src/patchinit/c.py", False), ("requirements.lock", True), ("tools/execute.py", True),
        ("tools/gates.py", False), ("results/runs.csv", False),
        ("data/FashionMNIST/raw/train-images-idx3-ubyte", True), ("data/archive.tar.gz", False),
    ],
)  # fmt: skip
def test_a_chapter_is_due_for_what_it_is_made_from(book, changed, is_due):
    assert executed() == ["01-a.ipynb"] and executed() == []
    path = book / changed
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text() if path.exists() else ""
    path.write_text(before + "\n")
    assert executed() == (["01-a.ipynb"] if is_due else [])
    assert executed() == []


def test_data_behind_a_link_are_seen(book, tmp_path_factory):
    executed()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "data_batch_1").touch()
    (book / "data/cifar-10-batches-py").symlink_to(elsewhere)
    assert executed() == ["01-a.ipynb"]


def test_a_chapter_is_not_due_for_a_newer_date(book):
    executed()
    for path in book.rglob("*.*"):
        os.utime(path)
    assert executed() == []


def test_a_chapter_that_reads_the_results_is_due_when_they_change(book):
    for name in ("companion/__init__.py", "companion/evidence/__init__.py", "patchinit/b.py"):
        (book / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (book / "src" / name).write_text("")
    (book / imports.READS_RESULTS).write_text("")
    (book / "src/patchinit/b.py").write_text("import companion.evidence.results")
    executed()
    (book / "results/new.csv").write_text("")
    assert executed() == ["01-a.ipynb"]


@pytest.mark.parametrize("gone", ["src/patchinit/b.py", "01-a.ipynb", "01-a.json"])
def test_a_chapter_is_due_when_a_file_is_gone(book, gone):
    executed()
    (book / gone if "/" in gone else book / "_build/executed/notebooks" / gone).unlink()
    assert executed() == ["01-a.ipynb"] and executed() == []


def test_what_took_longest_is_due_first(book):
    for name in ("02-b.ipynb", "03-c.ipynb"):
        shutil.copy(book / "notebooks/01-a.ipynb", book / "notebooks" / name)
    assert executed() == ["01-a.ipynb", "02-b.ipynb", "03-c.ipynb"]
    record = book / "_build/executed/notebooks/02-b.json"
    record.write_text(json.dumps({"seconds": 9}))
    (book / "src/patchinit/b.py").write_text("1")
    assert executed() == ["02-b.ipynb", "01-a.ipynb", "03-c.ipynb"]


# --- Side by side ---------------------------------------------------------------------------------

WRITES = "import pathlib; pathlib.Path('{}').touch()"


def write_chapters(folder, **codes):
    write_book(folder)
    for name, code in codes.items():
        write_chapter(folder, code)
        (folder / SOURCE).rename(folder / f"notebooks/{name}.ipynb")
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=skipped)
    (folder / "requirements.lock").touch()
    (folder / "_build").mkdir()
    (folder / "_build/data-fetched").touch()


def build(folder, jobs, **environment):
    return step(folder, "tools.chapters", "--jobs", str(jobs), **environment)


def test_chapters_run_side_by_side(tmp_path):
    """Each waits for the other, in a kernel that knows nothing of tools/ or of the other."""
    waits = (
        "import importlib.util, pathlib, sys, time\n"
        "assert 'mine' not in sys.modules and importlib.util.find_spec('tools') is None\n"
        "sys.modules['mine'] = 1\n"
        "pathlib.Path('{0}').touch()\n"
        "while not pathlib.Path('{1}').exists(): time.sleep(0.05)\n"
    )
    write_chapters(tmp_path, a=waits.format("a", "b"), b=waits.format("b", "a"))
    done = build(tmp_path, 2)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "_build/executed/notebooks"
    assert {path.name for path in made.iterdir()} == {"a.ipynb", "a.json", "b.ipynb", "b.json"}
    assert build(tmp_path, 2).stdout == "", "none is due"


def test_after_a_failure_no_chapter_is_begun(tmp_path):
    codes = {"a": "raise ValueError('this cell fails')", "b": WRITES.format("begun")}
    write_chapters(tmp_path, **codes)
    done = build(tmp_path, 1)
    assert done.returncode == 1 and "this cell fails" in done.stderr
    assert not (tmp_path / "notebooks/begun").exists()
    write_chapter(tmp_path, "1")
    (tmp_path / SOURCE).rename(tmp_path / "notebooks/a.ipynb")
    done = build(tmp_path, 1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "notebooks/begun").exists()


def test_a_killed_kernel_is_named(tmp_path):
    """As the system does when memory runs out."""
    write_chapters(tmp_path, a="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    done = build(tmp_path, 1)
    assert done.returncode == 1 and "a: failed, its kernel was killed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_process(tmp_path, how):
    """The kernel is no part of the group that Ctrl-C interrupts."""
    waits = "import os, time\nprint(os.getpid(), file=open('pid', 'w'))\ntime.sleep(60)"
    write_chapters(tmp_path, a=waits)
    command = [sys.executable, "-m", "tools.chapters"]
    building = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    note = tmp_path / "notebooks/pid"
    while not (note.exists() and note.read_text().strip()):
        assert building.poll() is None
        time.sleep(0.05)
    os.killpg(building.pid, how)
    _, errors = building.communicate(timeout=30)
    assert building.returncode and "Traceback" not in errors
    end = time.monotonic() + 20
    while psutil.pid_exists(int(note.read_text())):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not (tmp_path / "_build/executed").exists()


def test_a_forked_kernel_draws_and_counts_as_one_of_its_own(tmp_path):
    """Figures, environment and hash seed as in a kernel that Jupyter starts."""
    shown = (
        "import os, sys\nfrom matplotlib import pyplot as plt\n"
        "plt.plot([1, 2])\n"
        "print(hash('a'), os.path.basename(os.getcwd()), plt.get_backend())"
    )
    write_chapters(tmp_path, a=shown)
    assert build(tmp_path, 1, PYTHONHASHSEED="5").returncode == 0
    alone = step(tmp_path, "tools.execute", "notebooks/a.ipynb", "alone.ipynb")
    assert alone.returncode == 0, alone.stderr
    forked = nbformat.read(tmp_path / "_build/executed/notebooks/a.ipynb", as_version=4)
    assert any("image/png" in output.get("data", {}) for output in forked.cells[-1].outputs)
    assert forked == nbformat.read(tmp_path / "alone.ipynb", as_version=4)
    taken = [
        json.loads((tmp_path / path).read_text())["peak_memory"]
        for path in ("_build/executed/notebooks/a.json", "alone.json")
    ]
    assert taken[0] == pytest.approx(taken[1], rel=0.5)
