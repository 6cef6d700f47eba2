"""The build's steps on a tiny book, each in a process of its own as `make book` runs them."""

import base64
import io
import json
import re
import sys

import nbformat
import pytest
from PIL import Image

from tests.tiny_book import SOURCE, TARGET, step, write_book, write_chapter


@pytest.fixture
def book(tmp_path):
    """Its chapter says where it runs."""
    write_book(tmp_path)
    write_chapter(tmp_path, "import os; print(os.path.basename(os.getcwd()), n)")
    return tmp_path


def test_execute(book):
    done = step(book, "tools.execute", SOURCE, TARGET)
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


def test_figures_are_sharp_and_the_same_each_time(book):
    draw = (
        "import torch\nfrom matplotlib import pyplot as plt\n"
        "from companion.pages.pictures import filter_grid\n"
        "from companion.pages.style import use_style\n"
        "use_style()\n"
        "filter_grid(torch.arange(27.0).reshape(1, 3, 3, 3), ax=plt.subplots()[1]);"
    )
    found = []
    for _ in range(2):
        write_chapter(book, draw)
        done = step(book, "tools.execute", SOURCE, TARGET)
        assert done.returncode == 0, done.stderr
        (output,) = nbformat.read(book / TARGET, as_version=4).cells[-1].outputs
        found.append(output.data)
    assert found[0] == found[1]
    image = Image.open(io.BytesIO(base64.b64decode(found[0]["image/png"])))
    svg = found[0]["image/svg+xml"]
    width = float(re.search(r'<svg[^>]*width="([\d.]+)pt"', svg)[1])
    assert image.width / 108 == pytest.approx(width / 72, abs=0.01)
    (filter_,) = re.findall(r'<image[^>]*xlink:href="data:image/png;base64,([^"]*)"', svg)
    assert Image.open(io.BytesIO(base64.b64decode(filter_))).size == (3, 3), "its own pixels"


def test_hidden_stderr_is_not_published(book):
    notebook = nbformat.read(book / SOURCE, as_version=4)
    notebook.cells[-1].source = "import sys; print('a path', file=sys.stderr); print('seen')"
    notebook.cells[-1].metadata.tags = ["remove-stderr"]
    nbformat.write(notebook, book / SOURCE)
    assert step(book, "tools.execute", SOURCE, TARGET).returncode == 0
    (output,) = nbformat.read(book / TARGET, as_version=4).cells[-1].outputs
    assert output.text == "seen\n"


def test_failing_chapter_leaves_nothing(book):
    write_chapter(book, "raise ValueError('this cell fails')")
    done = step(book, "tools.execute", SOURCE, TARGET)
    assert done.returncode != 0 and "this cell fails" in done.stderr
    assert not (book / TARGET).exists()


def test_killed_kernel_is_named(book):
    """As the system does when memory runs out: no cell raises, the process is gone."""
    write_chapter(book, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    done = step(book, "tools.execute", SOURCE, TARGET)
    assert done.returncode != 0 and not (book / TARGET).exists()
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("01-tiny: failed, its kernel was killed") and "JOBS=1" in last
    assert "Traceback" not in done.stderr


def test_notebook_saved_with_a_kernel_of_its_author(book):
    """It runs in this interpreter, and a gate asks for another name."""
    write_chapter(book, "import sys; print(sys.executable)", kernel="conda-env-vision-py")
    assert step(book, "tools.execute", SOURCE, TARGET).returncode == 0
    executed = nbformat.read(book / TARGET, as_version=4)
    assert executed.cells[-1].outputs[0].text.strip() == sys.executable
    done = step(book, "tools.gates", "stored")
    assert done.returncode != 0 and "'conda-env-vision-py'; choose python3" in done.stderr


def test_pages(book):
    """A Sphinx warning fails the build, and again although Sphinx has read the page by then."""
    executed = nbformat.read(book / SOURCE, as_version=4)
    (book / TARGET).parent.mkdir(parents=True)
    nbformat.write(executed, book / TARGET)
    (book / TARGET).with_suffix(".json").write_text('{"seconds": 42, "peak_memory": 3e9}')
    index = book / "book" / "index.md"
    sound = index.read_text()

    done = step(book, "tools.pages")
    assert done.returncode == 0, done.stderr
    site = book / "_build/html"
    assert (site / "notebooks/01-tiny.html").is_file()
    page = (site / "book/index.html").read_text()
    assert "<td><p>42</p></td>" in page, "the table of costs"
    assert "_static/mathjax/tex-chtml.js" in page and "fontawesome.js" not in page
    assert "tex-chtml.js" not in (site / "notebooks/01-tiny.html").read_text(), "no formula"
    assert (site / "_static/mathjax/tex-chtml.js").is_file()

    index.write_text(sound + "\n[Nothing](missing.md)\n")
    for _ in range(2):
        done = step(book, "tools.pages")
        assert done.returncode != 0 and "missing.md" in done.stderr

    index.write_text(sound)
    assert step(book, "tools.pages").returncode == 0
