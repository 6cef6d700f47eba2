"""Runs made side by side: each once, whatever is killed."""

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from companion.runs import local as running
from companion.runs.cli import main
from companion.runs.files import StorageError
from companion.runs.local import WorkerFailed, run_here, run_side_by_side
from companion.runs.plan import plan
from companion.runs.progress import Progress
from companion.runs.record import read_result
from companion.runs.run import execute
from tests.conftest import ROOT
from tests.runs.tiny import TINY


def test_side_by_side_makes_each_run_once(tiny, capsys):
    assert main(["run", "tiny", "--seeds", "1", "--jobs", "2", "--device", "cpu"]) == 0
    assert "100%" in capsys.readouterr().err
    runs = plan(TINY, range(1))
    run_here(runs, tiny / "alone")
    for run in runs:
        two, one = (read_result(run.record(tiny / where)) for where in ("runs", "alone"))
        assert np.array_equal(two.filters, one.filters) and two.final_loss == pytest.approx(
            one.final_loss, rel=1e-5
        )


@pytest.fixture
def quick(monkeypatch, ready):
    """Workers are forked from a process that has imported what they need."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: ready)


def test_an_error_in_a_worker_is_told_and_spares_the_rest(tmp_path, quick):
    runs = plan(TINY, range(1))
    (tmp_path / "tiny").mkdir()
    (tmp_path / runs[2].place).write_text("in the way")
    with pytest.raises(StorageError, match=f"{runs[2].name} can't be used"):
        run_side_by_side(runs, tmp_path, 2)


def test_an_error_of_ours_in_a_worker_comes_with_its_traceback(tmp_path, quick):
    """TF32 has no meaning on a CPU; the trainer says so, and no plan should have asked for it."""
    study = dataclasses.replace(TINY, common=TINY.common | {"precision": "tf32"})
    with pytest.raises(ValueError, match="precision='tf32' needs") as caught:
        run_side_by_side(plan(study, range(1)), tmp_path, 2)
    assert "trainer.py" in str(caught.value.__cause__)


def test_a_killed_worker_costs_no_run(tmp_path, quick, monkeypatch, capsys):
    """The others take its run up; without others the command says what it was."""
    monkeypatch.setattr(running, "WAIT", 0.02)
    runs = plan(dataclasses.replace(TINY, common=TINY.common | {"epochs": 20}), range(1))

    class KillOnce(Progress):
        killed = False

        def _advance(self, *what):
            super()._advance(*what)
            if not self.killed:
                self.killed = True
                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    run_side_by_side(runs, tmp_path / "two", 2, progress=KillOnce(runs, show=False))
    assert all(run.record(tmp_path / "two").exists() for run in runs)
    assert "of 2 was killed" in capsys.readouterr().err
    with pytest.raises(WorkerFailed, match="killed before [34] of the runs"):
        run_side_by_side(runs, tmp_path / "one", 1, progress=KillOnce(runs, show=False))
    assert "process 1 of 1 was killed" in capsys.readouterr().err


def test_progress_by_what_lies_in_the_folders(tmp_path):
    """An epoch made elsewhere counts once, and so does an end."""
    run, other = plan(TINY)[:2]
    progress = Progress([run, other], show=False)
    with pytest.raises(ZeroDivisionError):
        execute(run.settings, tmp_path / run.place, on_epoch=lambda epoch: 1 / 0)
    for _ in range(2):
        progress.look(tmp_path)
        assert progress.n_epochs == 1 and progress.left == {run.place: 1, other.place: 2}
    execute(run.settings, tmp_path / run.place)
    for _ in range(2):
        progress.look(tmp_path)
        assert progress.left == {other.place: 2}


_KILLED = """
import sys
from companion.runs import local
from companion.runs.local import run_side_by_side
from companion.runs.plan import plan
sys.path.insert(0, sys.argv[2])
from tests.conftest import ROOT
from tests.runs.tiny import TINY
import dataclasses
from pathlib import Path
from companion.runs.progress import Progress

class Told(Progress):
    def _advance(self, *what):
        print(*what, flush=True)

if __name__ == "__main__":
    local.WAIT = 0.1
    study = dataclasses.replace(TINY, common=TINY.common | {"epochs": 300}, datasets=("digits",))
    run_side_by_side(plan(study), Path(sys.argv[1]), 2, progress=Told(plan(study), show=False))
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    command = [sys.executable, str(script), str(tmp_path / "runs"), str(ROOT)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        # The pipe closes once the last process that holds it has ended.
        process.stdout.read()
    unfinished = [
        path for path in (tmp_path / "runs/tiny").iterdir() if not (path / "result.npz").exists()
    ]
    assert unfinished
