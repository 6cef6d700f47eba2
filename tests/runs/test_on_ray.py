"""A real Ray cluster of several nodes on this machine: a node is killed, and then the driver."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from companion.runs.on_ray import run_on_ray
from companion.runs.plan import Study, UsageError, plan
from companion.runs.record import read_result
from companion.runs.run import execute

EPOCHS = 150
STUDY = Study(
    "on-ray",
    "",
    {"glorot_uniform": {"method": "glorot_uniform"}, "kmeans": {"method": "kmeans"}},
    {
        "epochs": EPOCHS,
        "n_train": 256,
        "batch_size": 32,
        "n_images": 10,
        "n_evaluate": 64,
        "widths": (4, 4),
    },
    datasets=("digits",),
    n_seeds=2,
)


_DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_on_ray import STUDY
from companion.runs import local
from companion.runs.on_ray import run_on_ray
from companion.runs.progress import Progress
from companion.runs.plan import plan

local.WAIT = 0.1

class Told(Progress):
    def _advance(self, place, n, text):
        super()._advance(place, n, text)
        print("epochs", place, n, flush=True)

    def ended(self, run):
        super().ended(run)
        print("ended", run.place, 0, flush=True)

runs, folder = plan(STUDY), Path(sys.argv[2])
left = [run for run in runs if not run.record(folder).exists()]
run_on_ray(left, folder, sys.argv[1], gpus_per_run=0, progress=Told(left, show=False))
"""


class Driver:
    """A process that asks the cluster for the study; iterates over what it says."""

    def __init__(self, tmp_path, address):
        script = tmp_path / "driver.py"
        script.write_text(_DRIVER)
        command = [
            sys.executable,
            str(script),
            address,
            str(tmp_path / "ray"),
            str(Path(__file__).parent),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __iter__(self):
        with self.process.stdout:
            for line in self.process.stdout:
                if line.startswith(("epochs ", "ended ")):
                    kind, place, number = line.split()
                    yield kind, place, int(number)


# Minutes, most of them for starting Ray's processes: not a part of every test run.
@pytest.mark.skipif(
    not os.environ.get("PATCHINIT_CLUSTER"), reason="takes minutes: run `make test-cluster`"
)
# Ray leaves sockets and processes to the garbage collector; none of it is this project's.
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:ray", "ignore::DeprecationWarning")
def test_a_killed_node_and_a_killed_driver_lose_no_run_and_repeat_none(tmp_path):
    """One of two nodes is killed, then the driver; another driver goes on from the checkpoints."""
    from ray.cluster_utils import Cluster

    runs = plan(STUDY)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    folder, told, seen = tmp_path / "ray", [], set()
    try:
        first = Driver(tmp_path, cluster.address)
        for kind, place, n in first:
            told.append((kind, place))
            if kind == "epochs" and len(seen) < 2:
                seen.add(place)
                if len(seen) == 2:  # both nodes are at work
                    cluster.remove_node(nodes[1], allow_graceful=False)
                    n_left = EPOCHS // 2  # epochs that the other makes before the driver ends
            elif kind == "epochs" and (n_left := n_left - n) < 0:
                first.process.send_signal(signal.SIGKILL)
        assert first.process.wait() == -signal.SIGKILL, "ended before it was killed"
        left = [run for run in runs if not run.record(folder).exists()]
        assert left and any(run.checkpoint(folder).exists() for run in left)
        before = {path: path.read_bytes() for path in folder.rglob("result.npz")}
        second = Driver(tmp_path, cluster.address)
        told += [(kind, place) for kind, place, _ in second]
        assert second.process.wait() == 0
    finally:
        cluster.shutdown()
    assert len(seen) == 2, "no node was killed"
    assert all(path.read_bytes() == content for path, content in before.items())
    records = [read_result(run.record(folder)) for run in runs]
    # What a node or the driver left behind was gone on with, not begun anew.
    assert sum(len(record.about.get("earlier", ())) for record in records) >= 2
    ended = {place for kind, place in told if kind == "ended"}
    assert ended == {run.place for run in runs}
    torch.set_num_threads(1)
    for run, there in zip(runs, records, strict=True):
        here = execute(run.settings, tmp_path / "here" / run.place)
        assert np.array_equal(here.filters, there.filters) and np.array_equal(
            here.correct, there.correct
        )
        assert [dataclasses.replace(e, seconds=0) for e in here.epochs] == [
            dataclasses.replace(e, seconds=0) for e in there.epochs
        ]
        assert not run.checkpoint(folder).exists()


def test_without_ray_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install -e '\.\[ray\]'"):
        run_on_ray(plan(STUDY), tmp_path, "local")


def test_a_cluster_that_does_not_answer_is_named(tmp_path, monkeypatch):
    """As `ray.init` fails where no cluster is."""

    def init(*_, **__):
        raise ConnectionError("Could not find any running Ray instance.")

    ray = SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(UsageError, match="--ray auto can't be reached .*--ray local"):
        run_on_ray(plan(STUDY), tmp_path, "auto")
