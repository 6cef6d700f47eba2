"""Chapters run to their end on stand-ins; docstring examples run."""

import doctest
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

import companion
import patchinit
from tools.execute import kernel_settings

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# As little as each chapter can do with: its start and its figures then take most of the time.
SMALL = {
    "01": {"n_images": 10},
    "02": {"n_images": 20, "n_samples": 2, "n_directions": 20},
    "03": {"n_images": 20, "sample_sizes": [1, 3, 20], "n_draws": 2},
    "04": {"n_images": 20, "n_draws": 2, "readout_images": 100},
    "05": {"n_images": 20, "n_filters": 6, "n_patches": 800, "n_repeats": 2},
    "06": {
        "n_images": 20, "n_filters": 6, "n_patches": 800, "n_repeats": 2, "cluster_counts": [3, 6],
        "n_small": 200, "outlier_shares": [0.2], "n_runs": 2,
    },
    "07": {"n_images": 20, "n_draws": 2},
    "08": {
        "n_images": 20, "n_test": 16, "n_train": 32, "epochs": 1, "width": 4, "n_seeds": 2,
        "n_train_short": 16, "epochs_short": 1,
    },
    "10": {"n_patch_images": 20},
    "11": {"n_train": 32, "epochs": 1, "width": 4},
}  # fmt: skip


# The kernel is a process of its own; what its client warns of is not the chapter's.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_runs_on_stand_ins(chapter, tmp_path, monkeypatch):
    """Chapters of even number from the root of the repository, the others from their own folder."""
    number = chapter.stem[:2]
    parameters = SMALL.get(number, {})
    assert parameters.keys() <= papermill.inspect_notebook(str(chapter)).keys()  # it only warns
    monkeypatch.setenv("PATCHINIT_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    executed = papermill.execute_notebook(
        chapter,
        None,
        parameters=parameters,
        cwd=ROOT if int(number) % 2 == 0 else chapter.parent,
        progress_bar=False,
        config=kernel_settings(str(tmp_path)),
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    html = "".join(
        output.get("data", {}).get("text/html", "") for cell in code for output in cell.outputs
    )
    if any("load_images" in cell.source for cell in code):  # chapter 9 reads results alone
        assert "could not be had where this page was made" in html
    assert not (tmp_path / "empty").exists(), "nothing was fetched"


def test_every_chapter_begins_alike():
    """Style, and no more threads than may run at once, before anything is computed."""
    for chapter in CHAPTERS:
        cells = [
            c.source for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "code"
        ]
        imports = next(source for source in cells if "use_style()" in source)
        assert imports.rstrip().endswith("\n\nuse_style()"), chapter.name


def test_a_chapter_starts_no_more_threads_than_may_run():
    script = (
        "import os, torch; os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])\n"
        "torch.set_num_threads(8)\n"
        "from companion.pages.style import use_style\n"
        "use_style(); print(torch.get_num_threads())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity")
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout == "1\n", said.stderr


# --- Examples in docstrings -----------------------------------------------------------------------


def doctests():
    """Every example of our packages, by the name of what it documents."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = [
        found.name
        for package in (patchinit, companion)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    no_modules = ("__main__", "patchinit.experiments")
    modules = [importlib.import_module(name) for name in names if not name.endswith(no_modules)]
    return [
        test for module in [patchinit, *modules] for test in finder.find(module) if test.examples
    ]


@pytest.mark.parametrize("test", doctests(), ids=lambda test: test.name)
def test_example_in_docstring(test, capsys):
    result = doctest.DocTestRunner().run(test)
    assert result.attempted and not result.failed, capsys.readouterr().out
