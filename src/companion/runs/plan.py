"""A study as a value, its runs in their order, and every path of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from patchinit.data.catalogue import PUBLISHED

from .settings import Settings

RECORD = "result.npz"


class UsageError(ValueError):
    """What was asked for can't be had; the text names the option, its value and what it may be."""


@dataclass(frozen=True)
class Study:
    """Arms that are compared, on the same seeds and data sets.

    Examples
    --------
    >>> arms = {"Glorot": {"method": "glorot_uniform"}, "k-means": {"method": "kmeans"}}
    >>> study = Study("mine", "Which is better?", arms, {"epochs": 3}, ("digits",), n_seeds=2)
    >>> study.settings("k-means", "digits", seed=1).epochs
    3
    >>> list(study.seeds_of("k-means"))
    [0, 1]
    """

    name: str
    question: str  #: what it is to answer
    arms: dict[str, dict]  #: by name, the settings in which the arm differs from `common`
    common: dict = field(default_factory=dict)  #: settings of all arms
    datasets: tuple[str, ...] = PUBLISHED
    n_seeds: int = 5  #: of each arm, but for those in `seeds`
    #: by arm, where it has another number of them, or others than the first
    seeds: dict[str, int | range] = field(default_factory=dict)
    #: by arm, seeds that are registered under a condition, those in `seeds` among them
    on_request: dict[str, range] = field(default_factory=dict)
    #: arms and seeds that are made before all others, in order
    first: tuple[tuple[tuple[str, ...], range], ...] = ()
    stage: str = ""  #: letter of the registered protocol's stage, if it is one
    #: other studies whose runs of a seed its own are compared with
    beside: tuple[str, ...] = ()

    @property
    def reduced(self) -> bool:
        """Whether it is too small to say anything about the paper's full runs."""
        return self.common.get("n_train") is not None

    def seeds_of(self, arm: str) -> range:
        """The seeds planned for an arm."""
        seeds = self.seeds.get(arm, self.n_seeds)
        return seeds if isinstance(seeds, range) else range(seeds)

    def allowed(self, arm: str, seeds: range) -> range:
        """Those of some seeds that an arm may have: of a registered stage, what it names."""
        if not self.stage:
            return seeds
        own = self.on_request.get(arm, self.seeds_of(arm))
        return range(max(own.start, seeds.start), min(own.stop, seeds.stop))

    def settings(self, arm: str, dataset: str, seed: int) -> Settings:
        """Of one run."""
        return Settings(dataset=dataset, seed=seed, **self.common | self.arms[arm])

    def run(self, arm: str, dataset: str, seed: int) -> PlannedRun:
        """One run."""
        return PlannedRun(
            run_name(dataset, arm, seed), self.name, arm, self.settings(arm, dataset, seed)
        )

    def run_of(self, settings: Settings) -> PlannedRun | None:
        """The run of these settings, whatever its seed; None without such an arm or data set."""
        if settings.dataset in self.datasets:
            for arm in self.arms:
                if self.settings(arm, settings.dataset, settings.seed) == settings:
                    return self.run(arm, settings.dataset, settings.seed)
        return None

    def records(self, folder: Path) -> list[Path]:
        """Of its finished runs, below the folder of all runs, whatever their names."""
        return sorted((folder / self.name).glob(f"*/{RECORD}"))


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study."""

    name: str  #: unique in the study
    study: str
    arm: str
    settings: Settings

    @property
    def place(self) -> str:
        """Its folder below that of all runs; studies may have runs of the same name."""
        return f"{self.study}/{self.name}"

    def record(self, folder: Path) -> Path:
        """Where its record is written when it ends, below the folder of all runs."""
        return RunFolder(folder / self.place).record

    def checkpoint(self, folder: Path) -> Path:
        """Where it goes on from while it is under way, below the folder of all runs."""
        return RunFolder(folder / self.place).checkpoint

    def collected(self, results: Path) -> Path:
        """Where its record lies among those that were collected."""
        return StudyFolder(results / self.study).records / f"{self.name}.npz"


class RunFolder:
    """The files of one run, in a folder of its own."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.record = self.path / RECORD  #: once it has ended
        self.checkpoint = self.path / "checkpoint"  #: while it is under way
        self.lock = self.path / "lock"  #: held by the process that makes it


class StudyFolder:
    """The files of a collected study, in a folder below ``results/``."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.records = self.path / "runs"  #: with a file for each run
        self.runs = self.path / "runs.csv"  #: a line a run
        self.epochs = self.path / "epochs.csv"  #: a line an epoch
        self.manifest = self.path / "manifest.json"  #: lists the others, and is written last
        self.lock = self.path / "lock"  #: held by the process that collects

    def collected(self) -> list[Path]:
        """The records that lie there."""
        return sorted(self.records.glob("*.npz"))


def plan(
    study: Study, seeds: range | None = None, datasets: tuple[str, ...] | None = None
) -> list[PlannedRun]:
    """Every run of a study, in the order in which they are made.

    What the study puts first comes first; the rest goes one seed after the other, all data sets and
    arms of it together, so that what is finished early can be compared.

    Parameters
    ----------
    study : Study
    seeds : range, optional
        Of every arm; in a registered stage those of them that the arm is registered for. Default:
        what the study plans for each.
    datasets : tuple of str, optional
        Default: all of the study's.

    Raises
    ------
    UsageError
        A data set that the study has not.

    Examples
    --------
    >>> arms = {"Glorot": {"method": "glorot_uniform"}, "k-means": {"method": "kmeans"}}
    >>> study = Study("mine", "Which is better?", arms, datasets=("digits",), n_seeds=2)
    >>> [(run.settings.seed, run.arm) for run in plan(study)]
    [(0, 'Glorot'), (0, 'k-means'), (1, 'Glorot'), (1, 'k-means')]
    """
    datasets = study.datasets if datasets is None else datasets
    if unknown := set(datasets) - set(study.datasets):
        raise UsageError(
            f"datasets={','.join(sorted(unknown))} should be among {', '.join(study.datasets)}"
        )
    wanted = {
        arm: study.seeds_of(arm) if seeds is None else study.allowed(arm, seeds)
        for arm in study.arms
    }
    every_seed = range(
        min(seeds.start for seeds in wanted.values()), max(seeds.stop for seeds in wanted.values())
    )
    keys: dict[tuple[int, str, str], None] = {}  # a dict keeps the order and has each run once
    for arms, block in (*study.first, (tuple(study.arms), every_seed)):
        keys |= {
            (seed, dataset, arm): None
            for seed in block for dataset in datasets for arm in arms if seed in wanted[arm]
        }  # fmt: skip
    return [study.run(arm, dataset, seed) for seed, dataset, arm in keys]


def part_of_plan(runs: list[PlannedRun], number: int, total: int) -> list[PlannedRun]:
    """The number-th of so many parts of a plan, counted from 1, in the plan's order.

    All arms of one seed on one data set are in one part: they are compared with each other, so one
    machine makes them.
    """
    blocks: dict[tuple[str, int], int] = {}  # in the order in which they are made
    for run in runs:
        blocks.setdefault((run.settings.dataset, run.settings.seed), len(blocks))
    return [
        run for run in runs if blocks[run.settings.dataset, run.settings.seed] % total == number - 1
    ]


def run_name(dataset: str, arm: str, seed: int) -> str:
    """A run's name, unique in its study and fit for a folder."""
    return f"{dataset}--{_slug(arm)}--seed-{seed}"


def _slug(text: str) -> str:
    """A name fit for a folder."""
    return "-".join("".join(c if c.isalnum() or c in "._" else " " for c in text).split())
