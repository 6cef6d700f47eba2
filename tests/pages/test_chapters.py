"""Chapters run to their end on stand-ins; docstring examples run."""

import doctest
import importlib
import pkgutil
from pathlib import Path

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
        "n_train_short": 16, "epochs_short": 1, "n_races": 2,
    },
    "10": {"n_patch_images": 20},
    "11": {"width": 4},
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
    result = doctest.DocTestRunner().run(test)
    assert result.attempted and not result.failed, capsys.readouterr().out
