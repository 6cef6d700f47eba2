"""Hand runs to a Ray cluster whose nodes share the folder of the runs."""

from __future__ import annotations

from pathlib import Path

import torch

from .local import EXPECTED, WorkerFailed, as_they_end, run_here
from .plan import PlannedRun, UsageError
from .progress import Progress

RETRIES = 10  # of a run whose node died


def run_on_ray(
    runs: list[PlannedRun],
    folder: Path,
    address: str,
    *,
    gpus_per_run: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Make runs on a Ray cluster, each as a task of its own with one CPU.

    A run whose node dies is gone on with by another from its checkpoint; if this process is killed,
    the same command goes on. All nodes share the folder, under this path, on a file system that
    locks files. The address is "local", which starts Ray on this machine, "auto" or HOST:PORT.
    Without a share of a GPU for each run it is 1 where the cluster has GPUs. UsageError without
    Ray, or where none answers; WorkerFailed if runs failed, once the others are made.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs Ray: pip install -e '.[ray]'") from error

    ours = not ray.is_initialized()
    if ours:
        where = None if address == "local" else address
        try:
            ray.init(where, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, ValueError) as error:
            raise UsageError(
                f"--ray {address} can't be reached ({error}); start Ray there, or pass --ray local"
            ) from error
    try:
        if gpus_per_run is None:
            gpus_per_run = 1.0 if ray.cluster_resources().get("GPU") else 0.0
        make = ray.remote(_make).options(num_cpus=1, num_gpus=gpus_per_run, max_retries=RETRIES)
        device = "cuda" if gpus_per_run else "cpu"
        folder = folder.resolve()
        made = {make.remote(run, folder, device).future(): run for run in runs}
        failed = []
        for future in as_they_end(made, folder, progress or Progress(runs, show=False)):
            if failure := future.exception():
                expected = isinstance(failure, EXPECTED)
                reason = getattr(failure, "cause", failure) if expected else failure
                failed.append(f"{made[future].place}: {reason}")
    finally:
        if ours:
            ray.shutdown()
    if failed:
        raise WorkerFailed(
            f"{len(failed)} runs failed, the others are finished; the first: {failed[0]}"
        )


def _make(run: PlannedRun, folder: Path, device: str) -> None:
    torch.set_num_threads(1)  # one CPU was asked for
    run_here([run], folder, device=device)
