"""Make the runs of studies on this machine: in turn or side by side, with one progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path

import torch

from ..data.published import DatasetDamaged, DatasetUnavailable
from .files import FolderBusy, StorageError
from .plan import PlannedRun
from .prepare import Load, load
from .progress import Progress
from .record import RunRefused
from .run import execute
from .trainer import Epoch

WAIT = 2.0  # seconds between two looks at runs that other processes are making
#: A person's mistake or a machine's fault, which a line tells in full;
#: anything else is an error of ours.
EXPECTED = (RunRefused, StorageError, FolderBusy, DatasetDamaged, DatasetUnavailable)


class WorkerFailed(RuntimeError):
    """A process that made runs was killed, or met an error of ours, whose traceback is the text."""


def run_here(
    runs: Iterable[PlannedRun],
    folder: Path,
    *,
    device: str = "cpu",
    load: Load = load,
    on_epoch: Callable[[str, Epoch], None] = lambda place, epoch: None,
    on_end: Callable[[PlannedRun], None] = lambda run: None,
) -> None:
    """Make runs one after another in this process.

    Runs that another process is making are passed over, and come back to until they are finished:
    when this returns, all are.

    Parameters
    ----------
    runs : iterable of PlannedRun
    folder : path
        Holds a folder for each run.
    device, load
        As for `patchinit.experiments.run.execute`.
    on_epoch, on_end : functions, optional
        Told of every epoch made here, with the run's place, and of every end.

    Raises
    ------
    RunRefused, StorageError
        As `execute`; runs that are finished are not touched.
    """
    left = list(runs)
    while left:
        busy = []
        for run in left:
            try:
                execute(
                    run.settings, folder / run.place, device=device, load=load,
                    on_epoch=lambda epoch, place=run.place: on_epoch(place, epoch),
                )  # fmt: skip
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
    process, however it ends.

    Raises
    ------
    RunRefused, StorageError, DatasetDamaged, DatasetUnavailable
        As a process met it. The others are stopped, which loses the epoch under way and no more.
    WorkerFailed
        An error of ours in a process, or all processes were killed.
    """
    context = multiprocessing.get_context("spawn")  # a forked process can't use a GPU
    threads = max(1, torch.get_num_threads() // jobs)
    workers, ears = [], []
    for _ in range(jobs):
        # A pipe for each: a process that is killed while it writes
        # would leave a common queue locked.
        ear, mouth = context.Pipe(duplex=False)
        arguments = (runs, folder, device, threads, mouth, os.getpid())
        workers.append(context.Process(target=_work, args=arguments))
        workers[-1].start()
        mouth.close()  # the process has the only one now, so the pipe ends with it
        ears.append(ear)
    try:
        unfinished = _listen(ears, {run.place: run for run in runs}, progress)
    except BaseException:
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join()
    if unfinished:
        status = next((worker.exitcode for worker in workers if worker.exitcode), 0)
        raise WorkerFailed(
            f"the processes ended with exit status {status} before {len(unfinished)} of the runs; "
            "out of memory? Give the same command again to go on, or fewer --jobs"
        )


def _listen(ears: list, unfinished: dict[str, PlannedRun], progress: Progress | None) -> dict:
    """Pass on what the processes tell until they are gone; returns the runs whose end none told."""
    while ears:
        for ear in wait(ears):
            try:
                kind, place, value = ear.recv()
            except (EOFError, OSError):  # at the end, or killed in the middle of a word
                ears.remove(ear)
                continue
            if kind == "error":
                raise value
            if kind == "epoch" and progress and place in unfinished:
                progress.epoch(place, value)
            elif kind == "end" and (run := unfinished.pop(place, None)) and progress:
                progress.ended(run)  # once, though every process tells of every run
    return unfinished


def _work(runs, folder, device, threads, mouth, parent) -> None:
    """A worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends us
    torch.set_num_threads(threads)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    try:
        run_here(
            runs, folder, device=device,
            on_epoch=lambda place, epoch: mouth.send(("epoch", place, epoch)),
            on_end=lambda run: mouth.send(("end", run.place, None)),
        )  # fmt: skip
    except EXPECTED as error:
        mouth.send(
            ("error", None, type(error)(*error.args))
        )  # without its cause, which may be anything
    except Exception:
        mouth.send(
            (
                "error",
                None,
                WorkerFailed(f"an error of ours in a process:\n{traceback.format_exc()}"),
            )
        )


def _die_with(parent: int) -> None:
    """End this process when the one that started it is gone (killed, so it could not say so)."""
    while os.getppid() == parent:
        time.sleep(0.5)
    with suppress(OSError):
        os.kill(os.getpid(), signal.SIGKILL)
