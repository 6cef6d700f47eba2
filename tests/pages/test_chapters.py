"""Chapters run to their end on stand-ins; docstring examples run."""

import doctest
import importlib
import pkgutil

import papermill
import pytest
from matplotlib import style

import companion
import patchinit
from tests.chapters import CHAPTERS, SMALL, execute
from tests.conftest import ROOT


# The kernel is a process of its own; what its client warns of is not the chapter's.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_runs_on_stand_ins(chapter, ready):
    """Chapters of even number from the root of the repository, the others from their own folder."""
    number = chapter.stem[:2]
    # papermill only warns
    assert SMALL.get(number, {}).keys() <= papermill.inspect_notebook(str(chapter)).keys()
    cwd = ROOT if int(number) % 2 == 0 else chapter.parent
    executed = execute(ready, chapter, cwd=cwd)
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    html = "".join(
        output.get("data", {}).get("text/html", "") for cell in code for output in cell.outputs
    )
    if any("load_images" in cell.source for cell in code):  # chapter 9 reads results alone
        assert "could not be had where this page was made" in html


# --- Examples in docstrings -----------------------------------------------------------------------


def doctests():
    """Every example of our packages, by the name of what it documents."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [patchinit] + [
        importlib.import_module(found.name)
        for package in (patchinit, companion)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not found.name.endswith(("__main__", "patchinit.experiments"))
    ]
    return [test for module in modules for test in finder.find(module) if test.examples]


@pytest.mark.parametrize("test", doctests(), ids=lambda test: test.name)
def test_example_in_docstring(test, capsys):
    with style.context("default"):  # whatever a test before it has set
        result = doctest.DocTestRunner().run(test)
    assert result.attempted and not result.failed, capsys.readouterr().out
