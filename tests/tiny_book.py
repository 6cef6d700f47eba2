"""A landing page and one chapter, and the steps of the build on them as `make book` runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[1]
SOURCE = "notebooks/01-tiny.ipynb"
TARGET = "_build/executed/notebooks/01-tiny.ipynb"
FIGURE = {
    "image": {"alt": "A line."},
    "figure": {"caption": "A line. Computed in this build.", "name": "fig-line"},
}


def write_book(folder: Path) -> None:
    (folder / "_config.yml").write_text(
        "title: Tiny\nexecute: {execute_notebooks: force}\nrepository: {url: ''}\n"
        "sphinx:\n  extra_extensions: [companion.pages.extension.site]\n"
    )
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01-tiny\n"
    )
    (folder / "book").mkdir(parents=True)
    (folder / "book" / "index.md").write_text(
        "# Tiny\n\n[A chapter](../notebooks/01-tiny.ipynb), $x$\n\n```{chapter-costs}\n```\n"
    )


def write_chapter(folder: Path, *sources: str, figure: bool = False, kernel="python3") -> None:
    """The last cell has a caption if it is to draw a figure."""
    cells = [
        new_markdown_cell("# A chapter\n\n- " + "It has more prose than code. " * 30),
        new_code_cell("n = 3", metadata={"tags": ["parameters"]}),
    ]
    for source in sources:
        cells += [new_markdown_cell("- A sentence between two cells."), new_code_cell(source)]
    if figure:
        cells[-1].metadata.mystnb = FIGURE
    spec = {"name": kernel, "display_name": "Python 3", "language": "python"}
    (folder / SOURCE).parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), folder / SOURCE)


def step(folder: Path, module: str, *arguments: str, **environment: str):
    """One of the tools, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
