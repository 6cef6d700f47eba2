"""The command line: ``patchinit run STUDY``, ``status``, ``collect``, ``studies``."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from .collecting import collect
from .data import DatasetDamaged, DatasetUnavailable, Images
from .models import SimpleConv
from .runs import RunRefused
from .running import Progress, run_here, run_side_by_side, state
from .settings import Settings
from .storage import StorageError
from .studies import STUDIES, PlannedRun, forward_flops, plan
from .training import Trainer

EXPECTED = (ValueError, RuntimeError, RunRefused, StorageError, DatasetDamaged, DatasetUnavailable)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, or 1 after an error that a person can mend."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    try:
        return options.command(options, shlex.join(["patchinit", *arguments])) or 0
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where it stopped", file=sys.stderr)
        return 130
    except EXPECTED as error:
        print(f"patchinit: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("patchinit", description="Full training runs of the book Filters from Patches.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("studies", help="list the studies")
    listing.set_defaults(command=_studies)
    for name, command, text in (
        ("run", _run, "make the runs of a study, or go on with them"),
        ("status", _status, "how far the runs of a study are"),
        ("collect", _collect, "gather finished runs into results/STUDY/"),
    ):
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=command)
        sub.add_argument("study", choices=STUDIES, metavar="STUDY", help=", ".join(STUDIES))
        sub.add_argument("--folder", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
        sub.add_argument("--seeds", type=_seeds, help="a number of seeds, or FIRST-LAST (default: the study's)")
        sub.add_argument("--datasets", type=lambda text: tuple(text.split(",")), help="some of the study's, by commas")
        sub.add_argument(
            "--results", type=Path, default=Path("results"), help="where they are collected (default: results)"
        )
        if name == "run":
            sub.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 (default: a GPU if there is one)")
            sub.add_argument("--jobs", type=int, default=1, help="runs side by side on this machine (default: 1)")
            sub.add_argument("--part", type=_part, default=(1, 1), metavar="I/N", help="only the I-th of N parts")
            sub.add_argument("--ray", metavar="ADDRESS", help="hand the runs to a Ray cluster ('auto', 'local', HOST:PORT)")
            sub.add_argument("--gpus-per-run", type=float, default=None, help="share of a GPU for a run on Ray")
            sub.add_argument("--dry-run", action="store_true", help="print the plan and its cost, and make nothing")
            sub.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _seeds(text: str) -> range:
    if match := re.fullmatch(r"(\d+)-(\d+)", text):
        first, last = map(int, match.groups())
        if first <= last:
            return range(first, last + 1)
    elif text.isdigit() and int(text) > 0:
        return range(int(text))
    raise argparse.ArgumentTypeError(f"{text!r} should be a number of seeds, such as 3, or FIRST-LAST, such as 3-9")


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    raise argparse.ArgumentTypeError(f"{text!r} should be I/N with 1 <= I <= N, such as 2/8")


def _planned(options: argparse.Namespace) -> list[PlannedRun]:
    runs = plan(STUDIES[options.study], options.seeds, options.datasets)
    number, of = getattr(options, "part", (1, 1))
    return runs[number - 1 :: of]


def _studies(options: argparse.Namespace, command: str) -> None:
    for study in STUDIES.values():
        runs = plan(study)
        print(f"{study.name:12} {len(runs):4} runs of {runs[0].settings.epochs:3} epochs  {study.question}")


def _run(options: argparse.Namespace, command: str) -> None:
    runs = _planned(options)
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.jobs < 1:
        raise ValueError(f"--jobs {options.jobs} should be at least 1")
    left = [run for run in runs if state(run, options.folder, options.results).kind not in ("finished", "diverged")]
    print(f"{options.study}: {STUDIES[options.study].question}")
    print(f"{len(runs)} runs, {len(runs) - len(left)} of them finished; {_epochs(left):,} epochs to make")
    if options.dry_run:
        for (dataset, arm), n in Counter((run.settings.dataset, run.arm) for run in left).items():
            print(f"  {dataset:14} {arm:45} x {n}")
        if left:
            print(f"about {_minutes(left, device):.0f} minutes on {device}, from a few steps just timed")
        return
    progress = Progress(left, show=not options.quiet)
    if options.ray:
        from .cluster import run_on_ray

        run_on_ray(left, options.folder, options.ray, gpus_per_run=options.gpus_per_run, progress=progress)
    elif options.jobs > 1:
        run_side_by_side(left, options.folder, options.jobs, device=device, progress=progress)
    else:
        run_here(left, options.folder, device=device, progress=progress)
    progress.bar.close()
    print(f"done; gather the results: patchinit collect {options.study}")


def _epochs(runs: list[PlannedRun]) -> int:
    return sum(run.settings.epochs for run in runs)


def _minutes(runs: list[PlannedRun], device: str) -> float:
    """Estimated minutes of the device: operations to make, at the rate of a few steps of the first run."""
    settings = runs[0].settings
    n = 20 * settings.batch_size
    channels, size = (1, 28) if settings.dataset in ("fashion_mnist", "digits") else (3, 32)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, channels, size, size), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (n,), generator=generator)
    few = Images(images, labels, tuple("0123456789"), "noise", "train")
    if device == "cpu":
        few = few.sample(2 * settings.batch_size)
    trainer = Trainer(SimpleConv(channels, 10, widths=settings.widths), few, few, settings, device=device)
    trainer.train_epoch()  # warms up
    start = time.perf_counter()
    trainer.train_epoch()
    rate = 3 * forward_flops(settings) * len(few) / (time.perf_counter() - start)
    total = 0.0
    for run in runs:
        full = 60_000 if run.settings.dataset == "fashion_mnist" else 50_000
        n_train = run.settings.n_train or full - run.settings.n_held_out
        n_test = run.settings.n_evaluate or run.settings.n_held_out or 10_000
        total += run.settings.epochs * forward_flops(run.settings) * (3 * n_train + n_test)
    return total / rate / 60


def _status(options: argparse.Namespace, command: str) -> None:
    runs = _planned(options)
    states = [state(run, options.folder, options.results) for run in runs]
    width = max(len(run.name) for run in runs)
    for run, how in zip(runs, states, strict=True):
        accuracy = "" if how.accuracy is None else f"{how.accuracy:.2%}"
        print(f"{run.name:{width}}  {how.kind:9}  {how.epochs:3}/{run.settings.epochs}  {accuracy}")
    print(", ".join(f"{n} {kind}" for kind, n in Counter(how.kind for how in states).items()))


def _collect(options: argparse.Namespace, command: str) -> None:
    runs = _planned(options)
    folder = collect(STUDIES[options.study], runs, options.folder, options.results, command)
    size = sum(path.stat().st_size for path in folder.rglob("*.*")) / 1e6
    finished = sum(1 for path in (folder / "runs").iterdir())
    print(f"{folder}: {finished} of {len(runs)} runs, {size:.1f} MB")


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # repeatable matrix products on a GPU
    sys.exit(main())
