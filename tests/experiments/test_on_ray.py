"""A real Ray cluster of several nodes on this machine: a node is killed, and then the driver."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from patchinit.experiments.on_ray import run_on_ray
from patchinit.experiments.plan import Study, UsageError, plan
from patchinit.experiments.record import read_result
from patchinit.experiments.run import execute

EPOCHS = 60
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
from test_cluster import STUDY
from patchinit.experiments.on_ray import run_on_ray
from patchinit.experiments.progress import Progress
from patchinit.experiments.plan import plan

class Told(Progress):
    def epoch(self, place, epoch):
        print("epoch", place, epoch.epoch, flush=True)

    def ended(self, run):
        print("ended", run.place, 0, flush=True)

runs = plan(STUDY)
told = Told(runs, show=False)
run_on_ray(runs, Path(sys.argv[2]), sys.argv[1], gpus_per_run=0, progress=told, send_every=0)
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
                if line.startswith(("epoch ", "ended ")):
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
    told, n_node = [], None
    try:
        first = Driver(tmp_path, cluster.address)
        for number, what in enumerate(first):
            told.append(what)
            if n_node is None and what[0] == "epoch" and what[2] >= 10:
                cluster.remove_node(nodes[1], allow_graceful=False)
                n_node = number
            if n_node is not None and number > n_node + EPOCHS:
                first.process.send_signal(signal.SIGKILL)
        assert first.process.wait() == -signal.SIGKILL, "ended before it was killed"
        left = [run for run in runs if not run.record(tmp_path / "ray").exists()]
        assert left and any(run.checkpoint(tmp_path / "ray").exists() for run in left)
        n_first, before = (
            len(told),
            {p: p.read_bytes() for p in (tmp_path / "ray").rglob("result.npz")},
        )
        second = Driver(tmp_path, cluster.address)
        told += second
        assert second.process.wait() == 0
    finally:
        cluster.shutdown()
    assert n_node is not None, "no node was killed"
    ended = [place for kind, place, _ in told if kind == "ended"]
    assert sorted(ended) == sorted(run.place for run in runs)
    assert all(path.read_bytes() == content for path, content in before.items())
    # What was told has its checkpoint here, or is one epoch of a run that a node had under way.
    epochs = [what for what in told if what[0] == "epoch"]
    twice = len(epochs) - len(set(epochs))
    print(
        f"{len(epochs)} epochs told, {twice} of them twice, {n_first} lines before the driver's end"
    )
    assert twice <= 6
    torch.set_num_threads(1)
    for run in runs:
        here = execute(run.settings, tmp_path / "here" / run.place)
        there = read_result(run.record(tmp_path / "ray"))
        assert np.array_equal(here.filters, there.filters) and np.array_equal(
            here.correct, there.correct
        )
        assert [dataclasses.replace(e, seconds=0) for e in here.epochs] == [
            dataclasses.replace(e, seconds=0) for e in there.epochs
        ]
        assert not run.checkpoint(tmp_path / "ray").exists()


def test_without_ray_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'patchinit\[ray\]'"):
        run_on_ray(plan(STUDY), tmp_path, "local")
