"""Chapters in kernels of their own, whose imports are made once for all of them."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import nbformat
import papermill

from tests.conftest import ROOT
from tools.execute import kernel_settings
from tools.kernels import forked_kernel

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


def execute(
    ready: BaseContext, chapter: Path, *, cwd: Path = ROOT, **parameters: Any
) -> nbformat.NotebookNode:
    """The chapter as papermill executes it, small, offline and where no data are."""
    parameters = SMALL.get(chapter.stem[:2], {}) | parameters
    with ProcessPoolExecutor(1, ready) as process:
        return nbformat.reads(
            process.submit(_execute, chapter, parameters, cwd).result(), as_version=4
        )


def _execute(chapter: Path, parameters: dict[str, Any], cwd: Path) -> str:
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder, forked_kernel():
        empty = Path(folder, "empty")
        os.environ |= {"PATCHINIT_DATA": str(empty), "PATCHINIT_OFFLINE": "1"}
        executed = papermill.execute_notebook(
            chapter,
            None,
            parameters=parameters,
            cwd=cwd,
            progress_bar=False,
            config=kernel_settings(folder),
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
        assert not empty.exists(), "nothing was fetched"
    return nbformat.writes(executed)
