"""Fixtures of the tests of runs."""

import shutil

import pytest

from companion.runs.collect import collect
from companion.runs.local import run_here
from companion.runs.plan import plan
from companion.runs.studies import STUDIES
from tests.runs.tiny import TINY


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="what tests/runs trains on: cpu, cuda, cuda:1")


@pytest.fixture(scope="session")
def device(request):
    """Where tests of the trainer train: `pytest tests/runs --device cuda` on a GPU's machine."""
    return request.config.getoption("--device", default="cpu")


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The study known to the command, in an empty working directory."""
    monkeypatch.setitem(STUDIES, "tiny", TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def two_seeds(tmp_path_factory):
    """Two seeds of the study, one of them collected."""
    root = tmp_path_factory.mktemp("made")
    for seed in (0, 1):
        run_here(plan(TINY, range(seed, seed + 1), ("digits",)), root / "runs")
        if seed == 0:
            collect(TINY, root / "runs", root / "results", "python -m companion collect tiny")
    return root


@pytest.fixture
def made(tiny, two_seeds):
    """They, in the working directory; the folder of results."""
    for name in ("runs", "results"):
        shutil.copytree(two_seeds / name, tiny / name)
    return tiny / "results/tiny"
