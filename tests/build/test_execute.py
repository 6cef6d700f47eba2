"""The build's steps on a tiny book, each in a process of its own as `make book` runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def run(folder, module, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def book(tmp_path):
    """A landing page and a chapter that says where it runs."""
    (tmp_path / "_config.yml").write_text(
        "title: Tiny\nexecute: {execute_notebooks: force}\nrepository: {url: ''}\n"
    )
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01-tiny\n"
    )
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.md").write_text(
        "# Tiny\n\n[A chapter](../notebooks/01-tiny.ipynb)\n"
    )
    write_chapter(
        tmp_path,
        "import os; print(os.path.basename(os.getcwd()), n, os.environ.get('OMP_NUM_THREADS'))",
    )
    return tmp_path


def write_chapter(folder, source):
    cells = [
        new_markdown_cell("# A chapter"),
        new_code_cell("n = 3", metadata={"tags": ["parameters"]}),
        new_code_cell(source),
    ]
    (folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(
        new_notebook(cells=cells, metadata=KERNEL), folder / "notebooks" / "01-tiny.ipynb"
    )


SOURCE = "notebooks/01-tiny.ipynb"
TARGET = "_build/executed/notebooks/01-tiny.ipynb"


def test_execute(book):
    done = run(book, "tools.execute", SOURCE, TARGET, "-p", "n", "5", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(book / TARGET, as_version=4)
    assert notebook.cells[-1].outputs[0].text == "notebooks 5 1\n"
    assert "papermill" not in notebook.metadata and str(book) not in nbformat.writes(notebook)
    assert notebook.cells[2].metadata.tags == ["injected-parameters", "remove-cell"]
    cost = json.loads((book / TARGET).with_suffix(".json").read_text())
    assert (
        cost["seconds"] > 0 and 2e7 < cost["peak_memory"] < 1e9
    )  # bytes: a bare kernel takes about 80 MB
    assert (book / SOURCE).stat().st_mtime <= (book / TARGET).stat().st_mtime
    assert sorted(path.name for path in (book / TARGET).parent.iterdir()) == [
        "01-tiny.ipynb",
        "01-tiny.json",
    ]


def test_hidden_stderr_is_not_published(book):
    notebook = nbformat.read(book / SOURCE, as_version=4)
    notebook.cells[-1].source = "import sys; print('a path', file=sys.stderr); print('seen')"
    notebook.cells[-1].metadata.tags = ["remove-stderr"]
    nbformat.write(notebook, book / SOURCE)
    assert run(book, "tools.execute", SOURCE, TARGET).returncode == 0
    (output,) = nbformat.read(book / TARGET, as_version=4).cells[-1].outputs
    assert output.text == "seen\n"


def test_unknown_parameter(book):
    done = run(book, "tools.execute", SOURCE, TARGET, "-p", "m", "5")
    assert done.returncode != 0 and "unknown parameter 'm'; it has n" in done.stderr
    assert not (book / TARGET).exists()


def test_failing_chapter_leaves_nothing(book):
    write_chapter(book, "raise ValueError('this cell fails')")
    done = run(book, "tools.execute", SOURCE, TARGET)
    assert done.returncode != 0 and "this cell fails" in done.stderr
    assert not (book / TARGET).exists()


def test_pages(book):
    """A Sphinx warning fails the build, and again although Sphinx has read the page by then."""
    executed = nbformat.read(book / SOURCE, as_version=4)
    (book / TARGET).parent.mkdir(parents=True)
    nbformat.write(executed, book / TARGET)
    index = book / "book" / "index.md"
    sound = index.read_text()

    done = run(book, "tools.pages")
    assert done.returncode == 0, done.stderr
    assert (book / "_build/html/notebooks/01-tiny.html").is_file()

    index.write_text(sound + "\n[Nothing](missing.md)\n")
    for _ in range(2):
        done = run(book, "tools.pages")
        assert done.returncode != 0 and "missing.md" in done.stderr

    index.write_text(sound)
    assert run(book, "tools.pages").returncode == 0


def test_data_state(tmp_path):
    """The stamp keeps its time unless other data sets are there."""
    stamp = tmp_path / "state"
    stamp.write_text("")
    old = stamp.stat().st_mtime_ns
    data = tmp_path / "data"
    assert run(tmp_path, "tools.data_state", "state", PATCHINIT_DATA=str(data)).returncode == 0
    assert stamp.stat().st_mtime_ns == old
    raw = data / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    done = run(tmp_path, "tools.data_state", "state", PATCHINIT_DATA=str(data))
    assert done.stdout == "Data: cifar10 absent, fashion_mnist found\n"
    assert stamp.read_text() == "fashion_mnist\n"
