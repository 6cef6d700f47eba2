"""A real Ray cluster of several nodes on this machine, one of which is killed."""

import dataclasses
import os

import numpy as np
import pytest
import torch

from patchinit.cluster import run_on_ray
from patchinit.runs import execute, read_result
from patchinit.running import Progress
from patchinit.studies import Study, plan

STUDY = Study(
    "on-ray", "", {"glorot_uniform": {"method": "glorot_uniform"}, "kmeans": {"method": "kmeans"}},
    {"epochs": 12, "n_train": 256, "batch_size": 32, "n_images": 10, "n_evaluate": 64, "widths": (4, 4)},
    datasets=("digits",), n_seeds=2,
)  # fmt: skip


class KillOnce(Progress):
    """Kills a node when a run on it has made some epochs."""

    def __init__(self, runs, cluster, node):
        super().__init__(runs, show=False)
        self.cluster, self.node, self.ended, self.epochs = cluster, node, [], []

    def epoch(self, name, epoch):
        self.epochs.append((name, epoch.epoch))
        if self.node is not None and epoch.epoch >= 4:
            node, self.node = self.node, None
            self.cluster.remove_node(node, allow_graceful=False)

    def finished(self, run, seen):
        self.ended.append(run.name)


# Minutes, most of them for starting Ray's processes: not a part of every test run.
@pytest.mark.skipif(not os.environ.get("PATCHINIT_CLUSTER"), reason="takes minutes: run `make test-cluster`")
# Ray leaves sockets and processes to the garbage collector; none of it is this project's.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:ray", "ignore::DeprecationWarning")
def test_a_killed_node_loses_no_run_and_repeats_none(tmp_path):
    import ray
    from ray.cluster_utils import Cluster

    runs = plan(STUDY)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    try:
        ray.init(cluster.address, log_to_driver=False)
        progress = KillOnce(runs, cluster, nodes[1])
        run_on_ray(runs, tmp_path / "ray", cluster.address, gpus_per_run=0, progress=progress, send_every=0)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert progress.node is None, "no node was killed"
    assert sorted(progress.ended) == sorted(run.name for run in runs)
    # What was made again was under way when the node died: fewer epochs than one run has.
    repeated = len(progress.epochs) - len(set(progress.epochs))
    assert repeated <= 6
    torch.set_num_threads(1)
    for run in runs:
        here = execute(run.settings, tmp_path / "here" / run.place)
        there = read_result(tmp_path / "ray" / run.place / "result.npz")
        assert np.array_equal(here.filters, there.filters) and np.array_equal(here.correct, there.correct)
        assert [dataclasses.replace(e, seconds=0) for e in here.epochs] == [
            dataclasses.replace(e, seconds=0) for e in there.epochs
        ]
        assert not (tmp_path / "ray" / run.place / "checkpoint").exists()


def test_without_ray_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(RuntimeError, match=r"pip install 'patchinit\[ray\]'"):
        run_on_ray(plan(STUDY), tmp_path, "local")
