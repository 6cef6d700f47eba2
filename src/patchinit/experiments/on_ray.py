"""Hand runs to a Ray cluster; records and checkpoints come back to the folder of whoever asked."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import torch

from ..data.images import Images
from .files import FolderBusy, only_here, write_whole
from .plan import PlannedRun, UsageError
from .prepare import Load, load
from .progress import Progress
from .run import execute
from .settings import Settings
from .trainer import Epoch

SEND_EVERY = 30.0  # seconds between two checkpoints sent to the driver
RETRIES = 10  # of a run whose node died


class _Board:
    """Where runs report to, on the driver's machine.

    Epochs, checkpoints, and where a retry goes on from.
    """

    def __init__(self, checkpoints: dict[str, bytes]):
        self.checkpoints, self.fresh, self.epochs = checkpoints, set(), []

    def tell(self, place: str, epoch: Epoch, checkpoint: bytes | None) -> None:
        self.epochs.append((place, epoch))
        if checkpoint is not None:
            self.checkpoints[place] = checkpoint
            self.fresh.add(place)

    def checkpoint(self, place: str) -> bytes | None:
        return self.checkpoints.get(place)

    def news(self) -> tuple[list[tuple[str, Epoch]], dict[str, bytes]]:
        """What was told since the last call."""
        epochs, kept = self.epochs, {place: self.checkpoints[place] for place in self.fresh}
        self.epochs, self.fresh = [], set()
        return epochs, kept

    def forget(self, place: str) -> None:
        self.checkpoints.pop(place, None)
        self.fresh.discard(place)


def _make(settings: str, place: str, data: dict, device: str, send_every: float, board) -> bytes:
    """One run on a node of the cluster: the bytes of its record."""
    import ray

    torch.set_num_threads(1)  # one CPU was asked for

    def images(dataset: str, split: str) -> Images:
        return ray.get(data[dataset, split])

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        if (kept := ray.get(board.checkpoint.remote(place))) is not None:
            path.write_bytes(kept)
        sent = time.monotonic()

        def tell(epoch: Epoch) -> None:
            nonlocal sent
            due = time.monotonic() - sent >= send_every and path.exists()
            if due:
                sent = time.monotonic()
            board.tell.remote(place, epoch, path.read_bytes() if due else None)

        execute(Settings.from_json(settings), folder, device=device, load=images, on_epoch=tell)
        return (Path(folder) / "result.npz").read_bytes()


def run_on_ray(
    runs: list[PlannedRun],
    folder: Path,
    address: str,
    *,
    gpus_per_run: float | None = None,
    load: Load = load,
    progress: Progress | None = None,
    send_every: float = SEND_EVERY,
) -> None:
    """Make runs on a Ray cluster.

    The images are sent to the nodes, which need Python, Ray and this module, and no data. A run
    whose node dies is made on by another node from its last checkpoint. What the driver has
    received lies in `folder`, so the same command goes on even if the driver was killed.

    Parameters
    ----------
    runs : list of PlannedRun
    folder : path
        Of the runs' folders, on the driver.
    address : str
        "local" starts Ray on this machine, "auto" finds the running cluster, else HOST:PORT.
    gpus_per_run : float, optional
        Share of a GPU for each run; 0: none. Default: 1 where the cluster has GPUs.
    load : function of (data set, split), optional
        Called on the driver.
    progress : Progress, optional
    send_every : float
        Seconds between two checkpoints of a run.

    Raises
    ------
    UsageError
        Ray is not installed.
    RuntimeError
        Runs failed; the others are made nevertheless.
    StorageError
        The folder can't be written.
    """
    try:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
    except ImportError as error:
        raise UsageError("--ray needs Ray: pip install 'patchinit[ray]'") from error

    ours = not ray.is_initialized()
    if ours:
        ray.init(
            None if address == "local" else address, log_to_driver=False, include_dashboard=False
        )
    try:
        if gpus_per_run is None:
            gpus_per_run = 1.0 if ray.cluster_resources().get("GPU") else 0.0
        with ExitStack() as held:
            mine = []
            for run in runs:
                try:
                    held.enter_context(only_here(folder / run.place))
                except FolderBusy:
                    continue  # another driver or process is at it
                if not run.record(folder).exists():
                    mine.append(run)
            here = NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=False
            )
            paths = {run.place: run.checkpoint(folder) for run in mine}
            checkpoints = {
                place: path.read_bytes() for place, path in paths.items() if path.exists()
            }
            board = (
                ray.remote(_Board).options(num_cpus=0, scheduling_strategy=here).remote(checkpoints)
            )
            data = {
                (dataset, split): ray.put(load(dataset, split))
                for dataset in {run.settings.dataset for run in mine}
                for split in ("train", "test")
            }
            make = ray.remote(_make).options(num_cpus=1, num_gpus=gpus_per_run, max_retries=RETRIES)
            device = "cuda" if gpus_per_run else "cpu"
            rest = (data, device, send_every, board)
            waiting = {make.remote(run.settings.to_json(), run.place, *rest): run for run in mine}
            _gather(waiting, folder, board, progress)
    finally:
        if ours:
            ray.shutdown()


def _gather(waiting: dict, folder: Path, board, progress: Progress | None) -> None:
    """Write what comes back until nothing is waited for."""
    import ray

    failed = []
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=0.5)
        epochs, checkpoints = ray.get(board.news.remote())
        for run in waiting.values():
            if run.place in checkpoints:
                write_whole(run.checkpoint(folder), checkpoints[run.place])
        for place, epoch in epochs:
            if progress:
                progress.epoch(place, epoch)
        for reference in done:
            run = waiting.pop(reference)
            try:
                write_whole(run.record(folder), ray.get(reference))
            except ray.exceptions.RayError as error:
                failed.append(f"{run.place}: {error}")
                continue
            ray.get(board.forget.remote(run.place))
            run.checkpoint(folder).unlink(missing_ok=True)
            if progress:
                progress.ended(run)
    if failed:
        raise RuntimeError(
            f"{len(failed)} runs failed, the others are finished; the first: {failed[0]}"
        )
