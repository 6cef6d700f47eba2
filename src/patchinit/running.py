"""Make the runs of a study on this machine: one after another or side by side, with one progress bar."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from .collecting import record_path
from .runs import Load, RunRefused, checkpoint_epoch, execute, load, read_result
from .storage import FolderBusy
from .studies import PlannedRun
from .training import Epoch

WAIT = 2.0  # seconds between two looks at a run that another process is making


@dataclass(frozen=True)
class State:
    """How far a planned run is."""

    kind: str  #: "finished", "diverged", "under way" (a checkpoint is there), "waiting" or "damaged"
    epochs: int = 0  #: made so far
    accuracy: float | None = None  #: 0 to 1, at the end


def state(run: PlannedRun, folder: Path, results: Path) -> State:
    """How far a run is, from what lies in its folder or was collected before."""
    here = folder / run.place
    try:
        if path := record_path(run, folder, results):
            result = read_result(path)
            kind = "diverged" if result.diverged else "finished"
            return State(kind, len(result.epochs), result.epochs[-1].test_accuracy)
        if (here / "checkpoint").exists():
            return State("under way", checkpoint_epoch(here / "checkpoint"))
    except RunRefused:
        return State("damaged")
    return State("waiting")


class Progress:
    """One bar over the epochs of all runs; the time left is from those seen so far."""

    def __init__(self, runs: list[PlannedRun], *, show: bool = True):
        self.n_finished, self.n_runs = 0, len(runs)
        self.bar = tqdm(total=sum(run.settings.epochs for run in runs), unit="epoch", disable=not show, smoothing=0.05)

    def epoch(self, name: str, epoch: Epoch) -> None:
        self.bar.set_postfix_str(
            f"run {self.n_finished + 1}/{self.n_runs}, {name} loss {epoch.train_loss:.3f} "
            f"accuracy {epoch.test_accuracy:.1%}",
            refresh=False,
        )
        self.bar.update()

    def finished(self, run: PlannedRun, seen: int) -> None:
        """The run ended after `seen` epochs in this process; the rest was there before, or is not to come."""
        self.n_finished += 1
        rest = run.settings.epochs - seen
        self.bar.total -= rest  # not made now, so not counted in the time left
        self.bar.refresh()


def run_here(
    runs: Iterable[PlannedRun],
    folder: Path,
    *,
    device: str = "cpu",
    load: Load = load,
    progress: Progress | None = None,
    on_epoch: Callable[[str, Epoch], None] | None = None,
    on_end: Callable[[PlannedRun], None] | None = None,
    wait: bool = True,
) -> None:
    """Make runs one after another in this process.

    Parameters
    ----------
    runs : iterable of PlannedRun
    folder : path
        Holds a folder for each run.
    device, load
        As for `patchinit.runs.execute`.
    progress, on_epoch, on_end : optional
        Told of every epoch and every end.
    wait : bool
        Runs that another process is making are come back to until they are finished; otherwise
        they are left to it.

    Raises
    ------
    RunRefused, StorageError
        As `execute`; runs that are finished are not touched.
    """
    left = list(runs)
    while left:
        busy = []
        for run in left:
            seen = 0

            def count(epoch: Epoch, name: str = run.name) -> None:
                nonlocal seen
                seen += 1
                if progress:
                    progress.epoch(name, epoch)
                if on_epoch:
                    on_epoch(name, epoch)

            try:
                execute(run.settings, folder / run.place, device=device, load=load, on_epoch=count)
            except FolderBusy:
                busy.append(run)
                continue
            if progress:
                progress.finished(run, seen)
            if on_end:
                on_end(run)
        left = busy if wait else []
        if left:
            time.sleep(WAIT)


def run_side_by_side(
    runs: list[PlannedRun], folder: Path, jobs: int, *, device: str = "cpu", progress: Progress | None = None
) -> None:
    """Make runs in several processes of this machine, which share its threads.

    Every process walks the whole list; the locks of the folders see to it that no run is made
    twice. The processes end with this one, however it ends.

    Raises
    ------
    RuntimeError
        A process ended with an error; its text. The others are stopped after their epoch.
    """
    context = multiprocessing.get_context("spawn")  # a forked process can't use a GPU
    messages = context.Queue()
    threads = max(1, torch.get_num_threads() // jobs)
    workers = [
        context.Process(target=_work, args=(runs[i:] + runs[:i], folder, device, threads, messages, os.getpid()))
        for i in range(jobs)
    ]
    for worker in workers:
        worker.start()
    by_name = {run.name: run for run in runs}
    seen = dict.fromkeys(by_name, 0)
    ended: set[str] = set()
    error = None
    try:
        while any(worker.is_alive() for worker in workers) or not messages.empty():
            try:
                kind, name, value = messages.get(timeout=0.5)
            except queue.Empty:
                continue
            if kind == "error":
                error = value
                break
            if kind == "epoch":
                seen[name] += 1
                if progress:
                    progress.epoch(name, value)
            elif name not in ended:
                ended.add(name)
                if progress:
                    progress.finished(by_name[name], seen[name])
    except BaseException:
        error = "stopped"
        raise
    finally:
        for worker in workers:
            if error is not None:
                worker.terminate()  # loses the epoch under way, and no more
            worker.join()
    if error is not None:
        raise RuntimeError(error)
    if failed := [worker.exitcode for worker in workers if worker.exitcode]:
        raise RuntimeError(f"a process ended with exit status {failed[0]}; give the same command again to go on")


def _work(runs, folder, device, threads, messages, parent) -> None:
    """A worker process: make what nobody else is making."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends us
    torch.set_num_threads(threads)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    try:
        run_here(
            runs, folder, device=device, wait=False,
            on_epoch=lambda name, epoch: messages.put(("epoch", name, epoch)),
            on_end=lambda run: messages.put(("end", run.name, None)),
        )  # fmt: skip
    except Exception as error:
        messages.put(("error", None, f"{type(error).__name__}: {error}"))


def _die_with(parent: int) -> None:
    """End this process when the one that started it is gone (killed, so that it could not say so)."""
    while os.getppid() == parent:
        time.sleep(0.5)
    with suppress(OSError):
        os.kill(os.getpid(), signal.SIGKILL)
