"""Kill a study at random moments, many times, and compare what comes out with a study left alone.

Two processes work in one folder: one makes the first of two parts and then the rest, the other
the second part, of more seeds; a third collects what is finished. Any of them may be killed
(SIGKILL) after a random time, and is started again, until every run is finished. One seed was
collected beforehand, and its runs' folders are gone. Ends with status 1 if a collect lost a record
that an earlier one had, or a record differs in a bit from the uninterrupted one.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

ARMS = {name: {"method": name} for name in ("glorot_uniform", "principal_components", "kmeans")}
COMMON = {"n_train": 256, "batch_size": 32, "n_images": 10, "n_evaluate": 64, "widths": (4, 4)}
SEEDS = {"first": range(2), "second": range(3)}  # of the two processes that are killed
EARLIER = range(7, 8)  # collected before anything else


def study(epochs: int):
    from companion.runs.plan import Study

    return Study("soak", "", ARMS, COMMON | {"epochs": epochs}, datasets=("digits",), n_seeds=2)


def say(place: str, epoch) -> None:
    """In one write: two processes share the log, and pieces of their lines would mix."""
    print(f"{place} {epoch.epoch}\n", end="", flush=True)


def work(what: str, folder: Path, results: Path, epochs: int) -> int:
    """What is killed: make the study, saying every epoch, or collect it."""
    import torch

    from companion.runs.cli import main
    from companion.runs.local import run_here
    from companion.runs.plan import part_of_plan, plan
    from companion.runs.studies import STUDIES

    torch.set_num_threads(1)
    STUDIES["soak"] = study(epochs)
    if what == "collect":
        return main(["collect", "soak", "--folder", str(folder), "--results", str(results)])
    if what == "alone":
        run_here(plan(study(epochs), SEEDS["second"]) + plan(study(epochs), EARLIER), folder)
        return 0
    runs = plan(study(epochs), EARLIER if what == "earlier" else SEEDS[what])
    if what != "earlier":
        run_here(part_of_plan(runs, 1 + (what == "second"), 2), folder, on_epoch=say)
    run_here(runs, folder, on_epoch=say)
    return 0


class Soak:
    """The processes, the moments at which they are killed, and what was seen meanwhile."""

    def __init__(self, scratch: Path, options: Namespace):
        self.scratch, self.options, self.moments = scratch, options, random.Random(options.seed)
        self.results, self.log = scratch / "results", scratch / "log"
        self.kills, self.collects = Counter(), 0
        self.listed: set[tuple[str, int]] = set()
        self.lost: set[tuple[str, int]] = set()

    def start(self, what: str, folder: str = "killed") -> subprocess.Popen:
        places = [str(self.scratch / folder), str(self.results), str(self.options.epochs)]
        log = self.log if what in SEEDS else self.scratch / "other.log"
        with log.open("a") as file:
            command = [sys.executable, __file__, "--work", what, *places]
            return subprocess.Popen(command, stdout=file, stderr=file)

    def to_the_end(self, what: str, folder: str = "killed") -> None:
        if status := self.start(what, folder).wait():
            raise SystemExit(self.failed(what, status))

    def look(self) -> None:
        """What is collected may only become more, and every file that is listed is whole."""
        from companion.evidence.results import read_runs

        runs = read_runs("soak", folder=self.results)
        listed = {(arm.key, seed) for arm in runs.arms for seed in arm.seeds}
        self.lost |= self.listed - listed
        self.listed |= listed

    def run(self) -> None:
        """Kill and start again until both processes have made all that is theirs."""
        processes = {what: self.start(what) for what in (*SEEDS, "collect")}
        while any(processes[what].poll() != 0 for what in SEEDS):
            time.sleep(self.moments.uniform(1, 6))  # less than a start takes, to several epochs
            for what, process in processes.items():
                if process.poll() is None:
                    if self.kills.total() < self.options.kills and self.moments.random() < 0.25:
                        os.kill(process.pid, signal.SIGKILL)
                        process.wait()
                        self.kills[what] += 1
                        print(f"\rkill {self.kills.total()}", end="", file=sys.stderr, flush=True)
                        processes[what] = self.start(what)
                elif process.returncode:
                    raise SystemExit(self.failed(what, process.returncode))
                elif what == "collect":
                    self.collects += 1
                    self.look()
                    processes[what] = self.start(what)
        processes["collect"].wait()

    def failed(self, what: str, status: int) -> str:
        logs = (self.scratch / "other.log").read_text() + self.log.read_text()[-2000:]
        return f"{what} ended with status {status}: {logs}"


def main() -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="at least as many (default: 30)")
    parser.add_argument("--epochs", type=int, default=300, help="of each of twelve runs")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", nargs=4, help=SUPPRESS)
    options = parser.parse_args()
    if options.work:
        what, folder, results, epochs = options.work
        return work(what, Path(folder), Path(results), int(epochs))

    from companion.runs.plan import plan
    from companion.runs.record import read_result
    from companion.runs.studies import STUDIES

    STUDIES["soak"] = study(options.epochs)
    with tempfile.TemporaryDirectory() as scratch:
        soak, begun = Soak(Path(scratch), options), time.perf_counter()
        soak.log.touch()
        soak.to_the_end("earlier", "earlier")
        soak.to_the_end("collect", "earlier")
        soak.run()
        print(f"\rkilled for {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        soak.to_the_end("collect")
        soak.look()
        soak.to_the_end("alone", "alone")
        runs = plan(study(options.epochs), SEEDS["second"]) + plan(study(options.epochs), EARLIER)
        alone = soak.scratch / "alone"
        pairs = [(run.collected(soak.results), run.record(alone)) for run in runs]
        differing = sum(not same(*map(read_result, pair)) for pair in pairs)
        announced = Counter(soak.log.read_text().splitlines())
        kept = {"result.npz", "lock", "manifest.json", "runs.csv", "epochs.csv"}
        paths = [*(soak.scratch / "killed").rglob("*"), *soak.results.rglob("*")]
        files = [p for p in paths if p.is_file() and p.name not in kept and p.parent.name != "runs"]
        left = {*files, *(path for path in paths if path.name.startswith("."))}
    repeated = announced.total() - len(announced)
    kills, of_collects = soak.kills.total(), soak.kills["collect"]
    print(f"kills                      {kills}, {of_collects} of them of collects")
    print(f"collects not killed        {soak.collects}")
    print(f"runs lost by a collect     {len(soak.lost)} of {len(soak.listed)}")
    print(f"epochs of the study        {len(SEEDS['second']) * len(ARMS) * options.epochs}")
    print(f"epochs announced           {len(announced)}")
    print(f"epochs announced twice     {repeated}")
    print(f"files left over            {len(left)}")
    print(f"records that differ        {differing} of {len(runs)}")
    failed = differing or left or soak.lost or len(soak.listed) < len(runs)
    return 1 if failed or repeated > kills - of_collects or kills < options.kills else 0


def same(one, other) -> bool:
    """Whether two records agree in all but the time taken."""
    arrays = all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("norms", "distances", "filter_epochs", "filters", "correct", "final_loss")
    )
    ours, theirs = ([replace(epoch, seconds=0) for epoch in of.epochs] for of in (one, other))
    return arrays and ours == theirs


if __name__ == "__main__":
    sys.exit(main())
