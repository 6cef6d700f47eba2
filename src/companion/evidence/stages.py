"""The stages of the registered protocol: what was registered, and what is in."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from patchinit.data.catalogue import DATASETS, PUBLISHED

from ..runs.plan import Study
from ..runs.settings import Settings
from ..runs.studies import STUDIES
from .arms import Arm, Of
from .estimates import Residual, pooled_residual
from .outcomes import LEAST_PAIRS
from .results import (
    NoResults,
    Runs,
    find_results,
    full_or_reduced_runs,
    of_named,
    read_runs,
)

_MAIN = Of("principal_components"), Of("glorot_uniform")


@dataclass(frozen=True)
class Stage:
    """One stage of the protocol on one data set: the runs that are in, and what was registered.

    Any study will do, registered or not.

    Examples
    --------
    >>> runs = read_runs("paper-small")  # in the book's repository
    >>> on = Stage(runs, STUDIES["paper-small"], "cifar10")
    >>> on.label, on.n(Of("glorot_uniform"), Of("kmeans"))
    ('CIFAR-10, 15 epochs', 3)
    """

    runs: Runs | None  #: None if nothing is in
    study: Study
    dataset: str
    beside: Stage | None = None  #: another stage of this length, whose runs tell of the spread

    @property
    def letter(self) -> str:
        """Of the stage; empty for a study that is none."""
        return self.study.stage

    @property
    def settings(self) -> Settings:
        """What all its runs have in common."""
        return Settings(dataset=self.dataset, **self.study.common)

    @property
    def epochs(self) -> int:
        """Of every run."""
        return self.settings.epochs

    @property
    def label(self) -> str:
        """Data set and length."""
        return f"{DATASETS[self.dataset].label}, {self.epochs} epochs"

    @property
    def arms(self) -> tuple[Arm, ...]:
        """With runs on its data set."""
        return tuple(arm for arm in (self.runs.arms if self.runs else ())
                     if arm.dataset == self.dataset)  # fmt: skip

    def arm(self, of: Of) -> Arm | None:
        """With all the seeds that it has, whether or not others have them; None without runs."""
        return self.runs.find(self.dataset, of) if self.runs else None

    def n(self, *of: Of) -> int:
        """Pairs at hand; runs, if it is one arm."""
        arms = self.paired(*of)
        return len(arms[0].seeds) if arms else 0

    def registered(self, *of: Of) -> int:
        """Seeds that all these arms are registered for; 0 if the stage has one of them not."""
        if self.dataset not in self.study.datasets:
            return 0
        seeds = {of_named(self.study, name): self.study.seeds_of(name) for name in self.study.arms}
        return min(len(seeds.get(one, ())) for one in of)

    def paired(self, *of: Of, below: int | None = None) -> tuple[Arm, ...] | None:
        """The arms with the registered seeds that all have; None if there are none.

        With `below`, the seeds below that number are taken instead of the registered ones. A study
        that is no stage has registered nothing, and all seeds count.
        """
        if below is None:
            below = self.registered(*of) if self.letter else math.inf
        if self.runs is None or not self.runs.has(self.dataset, *of):
            return None
        arms = self.runs.paired(self.dataset, *of)
        seeds = [seed for seed in arms[0].seeds if seed < below]
        return tuple(arm.among(seeds) for arm in arms) if seeds else None

    def residual(
        self,
        value: Callable[[Arm], np.ndarray],
        below: int | None = None,
        counts: Callable[[Of], bool] = lambda of: True,
    ) -> Residual | None:
        """Pooled residual of a value of every run; None if it has no freedom.

        Arms that repeat others in another precision are left out.

        Parameters
        ----------
        value : function of an Arm, to an array of shape (S,)
            A number of each run.
        below : int, optional
            Only seeds below this. Default: all that are registered.
        counts : function of an Of
            Whether the arm's runs count. Default: all do.
        """
        values = self._values(value, below, counts)
        if self.beside:
            values |= self.beside._values(value, below, counts)
        try:
            return pooled_residual(values)
        except ValueError:
            return None

    def _values(
        self, value: Callable, below: float | None, counts: Callable
    ) -> dict[tuple[str, int], float]:
        if below is None:
            most = max(len(self.study.seeds_of(arm)) for arm in self.study.arms)
            below = most if self.letter else math.inf
        return {
            (arm.of.label, seed): float(of_seed)
            for arm in self.arms
            if "precision" not in arm.of.settings and counts(arm.of)
            for seed, of_seed in zip(arm.seeds, value(arm), strict=True)
            if seed < below
        }


def stage(letter: str, runs: Mapping[str, Runs | None], dataset: str) -> Stage:
    """A stage by its letter.

    Parameters
    ----------
    letter : str
        "A" to "E".
    runs : mapping of str to Runs or None
        By the study's name, as far as they are in.
    dataset : str

    Examples
    --------
    >>> null = stage("C", {}, "cifar10")
    >>> null.study.name, null.epochs, null.registered(Of("glorot_uniform"))
    ('null', 3, 2)
    """
    stages = {study.stage: study for study in STUDIES.values() if study.stage}
    if letter not in stages:
        raise ValueError(f"letter={letter!r} should be one of {', '.join(sorted(stages))}")
    # Arms that stage B has are not made again for E, which has the same length.
    beside = stage("B", runs, dataset) if letter == "E" else None
    return Stage(runs.get(stages[letter].name), stages[letter], dataset, beside)


def read_stages(folder: str | os.PathLike | None = None) -> dict[str, Runs | None]:
    """What is in of every stage of the protocol, by the study's name.

    Raises
    ------
    NoResults, RunRefused, StorageError
        As for `companion.evidence.results.read_runs`.

    Examples
    --------
    >>> list(read_stages())  # in the book's repository
    ['anchor', 'grid', 'null', 'anchor-cifar10', 'beyond']
    """
    return {name: read_runs(name, folder=folder) for name, study in STUDIES.items() if study.stage}


def stages_to_show(
    runs: Mapping[str, Runs | None], folder: str | os.PathLike | None = None
) -> list[Stage]:
    """Where components and Glorot can be compared: CIFAR-10 first, the longest runs first.

    Where no stage has three pairs yet, the exploratory study `paper` (or its reduced runs) stands
    behind.

    Parameters
    ----------
    runs : mapping of str to Runs or None
        As `read_stages` gives them.
    folder : path, optional
        Of the results.

    Raises
    ------
    NoResults
        No runs of both, registered or not.

    Examples
    --------
    >>> [on.study.name for on in stages_to_show({})]  # in the book's repository
    ['paper-small', 'paper-small']
    """
    explored = full_or_reduced_runs("paper", folder=folder)
    found = []
    for dataset in PUBLISHED:
        stages = [on for letter in "ADB" if (on := stage(letter, runs, dataset)).n(*_MAIN)]
        if explored and all(on.n(*_MAIN) < LEAST_PAIRS for on in stages):
            stages.append(Stage(explored, STUDIES[explored.studies[0]], dataset))
        found += [on for on in stages if on.n(*_MAIN)]
    if not found:
        raise NoResults(
            f"{find_results(folder)} has no runs of components and Glorot that can be compared; "
            "make some: python -m companion run grid, and collect them: "
            "python -m companion collect grid"
        )
    return found
