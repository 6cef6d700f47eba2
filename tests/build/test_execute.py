"""The build's steps on a tiny book, each in a process of its own as `make book` runs them."""

import json
import os
import shutil
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
        "sphinx:\n  local_extensions: {companion: book/_ext}\n"
    )
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01-tiny\n"
    )
    (tmp_path / "book" / "_ext").mkdir(parents=True)
    shutil.copy(ROOT / "book" / "_ext" / "companion.py", tmp_path / "book" / "_ext")
    (tmp_path / "book" / "index.md").write_text(
        "# Tiny\n\n[A chapter](../notebooks/01-tiny.ipynb), $x$\n\n```{chapter-costs}\n```\n"
    )
    write_chapter(tmp_path, "import os; print(os.path.basename(os.getcwd()), n)")
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
    done = run(book, "tools.execute", SOURCE, TARGET)
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(book / TARGET, as_version=4)
    assert notebook.cells[-1].outputs[0].text == "notebooks 3\n"
    assert "papermill" not in notebook.metadata and str(book) not in nbformat.writes(notebook)
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


def test_failing_chapter_leaves_nothing(book):
    write_chapter(book, "raise ValueError('this cell fails')")
    done = run(book, "tools.execute", SOURCE, TARGET)
    assert done.returncode != 0 and "this cell fails" in done.stderr
    assert not (book / TARGET).exists()


def test_killed_kernel_is_named(book):
    """As the system does when memory runs out: no cell raises, the process is gone."""
    write_chapter(book, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    done = run(book, "tools.execute", SOURCE, TARGET)
    assert done.returncode != 0 and "01-tiny: failed" in done.stderr
    assert "Kernel died" in done.stderr and not (book / TARGET).exists()


def test_pages(book):
    """A Sphinx warning fails the build, and again although Sphinx has read the page by then."""
    executed = nbformat.read(book / SOURCE, as_version=4)
    (book / TARGET).parent.mkdir(parents=True)
    nbformat.write(executed, book / TARGET)
    (book / TARGET).with_suffix(".json").write_text('{"seconds": 42, "peak_memory": 3e9}')
    index = book / "book" / "index.md"
    sound = index.read_text()

    done = run(book, "tools.pages")
    assert done.returncode == 0, done.stderr
    site = book / "_build/html"
    assert (site / "notebooks/01-tiny.html").is_file()
    page = (site / "book/index.html").read_text()
    assert "<td><p>42</p></td>" in page, "the table of costs"
    assert "_static/mathjax/tex-chtml.js" in page
    assert (site / "_static/mathjax/tex-chtml.js").is_file()

    index.write_text(sound + "\n[Nothing](missing.md)\n")
    for _ in range(2):
        done = run(book, "tools.pages")
        assert done.returncode != 0 and "missing.md" in done.stderr

    index.write_text(sound)
    assert run(book, "tools.pages").returncode == 0
