"""Shared fixtures. Every test runs without network; few need the real images, and say so."""

import multiprocessing
import os
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch

from tests.browser import browser_or_skip

torch.set_num_threads(1)  # tests run side by side

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test reaches for the network by accident."""
    monkeypatch.setenv("PATCHINIT_OFFLINE", "1")


#: What processes of tests and kernels of chapters import.
IMPORTED = (
    "pytest", "papermill", "ipykernel.kernelapp", "seaborn", "companion.runs.local",
    "companion.evidence.judge", "companion.pages.charts", "companion.pages.explorer",
    "companion.pages.claim_glue", "companion.pages.finding",
)  # fmt: skip


@pytest.fixture(scope="session")
def ready():
    """Multiprocessing's context of processes that begin with all imports made, and nothing else.

    They are forked from one that has done nothing since; this one has threads, and has trained.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel's
        forkserver.ensure_running()
    return context


@pytest.fixture(scope="session")
def browser():
    """One for all tests, which leave it with a page of theirs."""
    with browser_or_skip() as one:
        yield one


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images(generator):
    """Twelve smooth colour images, float, (12, 3, 16, 16).

    Coarse noise made larger, so that patches have structure.
    """
    coarse = torch.rand(12, 3, 6, 6, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=16, mode="bicubic").clamp(0, 1)


@pytest.fixture
def real_data():
    """Folder of CIFAR-10 and Fashion-MNIST; skips where they are not there."""
    folder = Path(os.environ.get("PATCHINIT_DATA") or ROOT / "data")
    if (
        not (folder / "cifar-10-batches-py/data_batch_1").exists()
        or not (folder / "FashionMNIST/raw").exists()
    ):
        pytest.skip(
            f"needs CIFAR-10 and Fashion-MNIST in {folder.name}/ or PATCHINIT_DATA: run `make data`"
        )
    return folder
