"""Make the runs of studies on this machine: in turn or side by side, with one progress bar."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from tqdm import tqdm

from patchinit.data.published import DatasetDamaged, DatasetUnavailable

from .files import FolderBusy, StorageError
from .plan import PlannedRun
from .progress import Progress
from .record import RunRefused
from .run import execute
from .trainer import Epoch

WAIT = 2.0  # seconds between two looks at runs that other processes are making
#: A person's mistake or a machine's fault, which a line tells in full;
#: anything else is an error of ours.
EXPECTED = (RunRefused, StorageError, FolderBusy, DatasetDamaged, DatasetUnavailable)


class WorkerFailed(RuntimeError):
    """Processes that made runs were killed, or failed on a cluster; the text says how many."""


def run_here(
    runs: Iterable[PlannedRun],
    folder: Path,
    *,
    device: str = "cpu",
    on_epoch: Callable[[str, Epoch], None] = lambda place, epoch: None,
    on_end: Callable[[PlannedRun], None] = lambda run: None,
) -> None:
    """Make runs one after another in this process, each in a folder of its own below `folder`.

    Runs that another process is making are passed over, and come back to until they are finished:
    when this returns, all are. Every epoch made here is reported, with the run's place, and every end.
    Raises what `companion.runs.run.execute` raises; runs that are finished are not touched.
    """
    left = list(runs)
    while left:
        busy = []
        for run in left:
            try:
                reported = functools.partial(on_epoch, run.place)
                execute(run.settings, folder / run.place, device=device, on_epoch=reported)
            except FolderBusy:
                busy.append(run)
            else:
                on_end(run)
        if busy:
            time.sleep(WAIT)
        left = busy


def run_side_by_side(
    runs: list[PlannedRun],
    folder: Path,
    jobs: int,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> None:
    """Make runs in several processes of this machine, which share its threads.

    Every process walks the same list; the locks of the folders see to it that each takes the first
    run that nobody has. A run whose process is killed is taken up by the others. All end with this
    process, however it ends. An error of a process is raised here; the others are stopped, which
    loses the epoch under way and no more. WorkerFailed if all were killed.
    """
    progress = progress or Progress(runs, show=False)
    context = multiprocessing.get_context("spawn")  # a forked process can't use a GPU
    threads = max(1, torch.get_num_threads() // jobs)
    leash, ours = context.Pipe(duplex=False)
    # A pool for each: one that loses a process is broken as a whole.
    pools = [ProcessPoolExecutor(1, context, _begin, (threads, leash)) for _ in range(jobs)]
    try:
        workers = [pool.submit(run_here, runs, folder, device=device) for pool in pools]
        for worker in as_they_end(workers, folder, progress):
            try:
                worker.result()
            except BrokenProcessPool:
                number = workers.index(worker) + 1
                tqdm.write(f"process {number} of {jobs} was killed", file=sys.stderr)
        if progress.runs:
            raise WorkerFailed(
                f"the processes were killed before {len(progress.runs)} of the runs; "
                "out of memory? Give the same command again to go on, or fewer --jobs"
            )
    finally:
        ours.close()
        for pool in pools:
            pool.shutdown()


def as_they_end(futures: Iterable[Future], folder: Path, progress: Progress) -> Iterator[Future]:
    """Futures as they end; meanwhile the progress follows what lies in the runs' folders."""
    left = set(futures)
    while left:
        ended, left = wait(left, timeout=WAIT, return_when=FIRST_COMPLETED)
        progress.look(folder)
        yield from ended


def _begin(threads: int, leash: Connection) -> None:
    """Set a worker process up: it ends when the other end of the leash is let go or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, and lets go
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()


def _end_with(leash: Connection) -> None:
    try:
        leash.recv()  # nothing ever comes but the end
    finally:
        os._exit(1)
