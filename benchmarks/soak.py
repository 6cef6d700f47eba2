"""Kill a study at random moments, many times, and compare what comes out with a study left alone.

Two processes work in one folder. Now one, now both are killed (SIGKILL) after a random time, and
started again with the same command, until every run is finished. Printed: the kills, the epochs
that had to be made again, and whether every record agrees in every bit with the uninterrupted one.
Ends with status 1 if one does not.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

ARMS = {name: {"method": name} for name in ("glorot_uniform", "principal_components", "kmeans")}
COMMON = {"n_train": 256, "batch_size": 32, "n_images": 10, "n_evaluate": 64, "widths": (4, 4)}


def study(epochs: int):
    from patchinit.studies import Study, plan

    return plan(Study("soak", "", ARMS, COMMON | {"epochs": epochs}, datasets=("digits",), n_seeds=2))


def say(name: str, epoch) -> None:
    """In one write: two processes share the log, and pieces of their lines would mix."""
    print(f"{name} {epoch.epoch}\n", end="", flush=True)


def work(folder: Path, epochs: int) -> None:
    """What is killed: make the study, saying every epoch."""
    import torch

    from patchinit.running import run_here

    torch.set_num_threads(1)
    print("ready\n", end="", flush=True)
    run_here(study(epochs), folder, on_epoch=say)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="at least as many (default: 30)")
    parser.add_argument("--epochs", type=int, default=300, help="of each of the six runs (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.epochs)
        return 0

    from patchinit.runs import read_result

    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        killed, alone = Path(scratch, "killed"), Path(scratch, "alone")
        log = Path(scratch, "log")
        command = [sys.executable, __file__, "--work", str(killed), "--epochs", str(options.epochs)]

        def start() -> subprocess.Popen:
            return subprocess.Popen(command, stdout=log.open("a"))

        processes, kills, begun = [start(), start()], 0, time.perf_counter()
        while any(process.poll() is None for process in processes):
            # From the time that a start takes to several epochs: some kills hit a process that has just begun.
            time.sleep(moments.uniform(1, 4))
            for index, process in enumerate(processes):
                if kills < options.kills and process.poll() is None and moments.random() < 0.6:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    kills += 1
                    processes[index] = start()
                    print(f"\rkill {kills}", end="", file=sys.stderr, flush=True)
        print(f"\r{kills} kills in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        if any(process.returncode for process in processes):
            print("a process that was not killed ended with an error")
            return 1
        told = Counter(line for line in log.read_text().splitlines() if line != "ready")
        repeated = sum(told.values()) - len(told)
        runs = study(options.epochs)
        subprocess.run([*command[:3], str(alone), *command[4:]], stdout=subprocess.DEVNULL, check=True)
        pairs = {run.name: [read_result(w / run.place / "result.npz") for w in (killed, alone)] for run in runs}
        differing = [name for name, pair in pairs.items() if not same(*pair)]
        left = [path for path in killed.glob("*/*/*") if path.name not in ("result.npz", "lock")]
    print(f"kills                      {kills}")
    print(f"epochs of the study        {len(runs) * options.epochs}")
    print(f"epochs announced           {len(told)}")
    print(f"epochs announced twice     {repeated}")
    print(f"files left over            {len(left)}")
    print(f"records that differ        {len(differing)} of {len(runs)}")
    return 1 if differing or left or repeated > kills or kills < options.kills else 0


def same(one, other) -> bool:
    """Whether two records agree in all but the time taken."""
    arrays = all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("norms", "distances", "filter_epochs", "filters", "correct", "final_loss")
    )
    rows = [[dataclasses.replace(epoch, seconds=0) for epoch in record.epochs] for record in (one, other)]
    return arrays and rows[0] == rows[1]


if __name__ == "__main__":
    sys.exit(main())
