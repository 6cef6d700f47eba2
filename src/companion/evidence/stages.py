"""The stages of the registered protocol: what was registered, and what is in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from patchinit.data.catalogue import DATASETS, PUBLISHED

from ..claims import ARMS, Place
from ..runs.plan import Study
from ..runs.settings import Settings
from ..runs.studies import STUDIES
from .arms import Arm, ArmKey, widths_in_words
from .estimates import Residual, pooled_residual
from .outcomes import LEAST_PAIRS
from .results import NoResults, Runs, arm_key, find_results, full_or_reduced_runs, merged, read_runs

_MAIN = ArmKey("principal_components"), ArmKey("glorot_uniform")


@dataclass(frozen=True)
class Stage:
    """What is compared on one data set: the runs that are in, and what was registered of them.

    Any study will do, registered or not.
    """

    runs: Runs | None  #: of its studies; None if nothing is in
    study: Study
    dataset: str
    others: tuple[Study, ...] = ()  #: whose runs are compared with the study's, as if of one
    seeds: range | None = None  #: only these are compared
    beside: tuple[Stage, ...] = ()  #: whose runs tell of the spread and are not compared
    spread_arms: frozenset[ArmKey] = frozenset()  #: only these tell of the spread; all if empty
    spread_seeds: range | None = None  #: and only these seeds; the registered ones if None

    @property
    def studies(self) -> tuple[Study, ...]:
        """All whose runs are compared."""
        return (self.study, *self.others)

    @property
    def letter(self) -> str:
        """Of the stage, or of each that is compared; empty for a study that is none."""
        return "+".join(study.stage for study in self.studies)

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
    def widths(self) -> str:
        """Of the blocks behind the first, "10×16"; of the narrowest and the widest network."""
        networks = {self.study.settings(arm, self.dataset, 0).widths for arm in self.study.arms}
        texts = [widths_in_words(widths) for widths in sorted(networks)]
        return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"

    @property
    def arms(self) -> tuple[Arm, ...]:
        """With runs on its data set."""
        return tuple(arm for arm in (self.runs.arms if self.runs else ())
                     if arm.dataset == self.dataset)  # fmt: skip

    def arm(self, key: ArmKey) -> Arm | None:
        """With all the seeds that it has, whether or not others have them; None without runs."""
        return self.runs.find(self.dataset, key) if self.runs else None

    def n(self, *keys: ArmKey) -> int:
        """Pairs at hand; runs, if it is one arm."""
        arms = self.paired(*keys)
        return len(arms[0].seeds) if arms else 0

    def seeds_of(self, *keys: ArmKey) -> set[int]:
        """That all these arms are registered for."""
        return set.intersection(*map(self._registered, keys))

    def _registered(self, key: ArmKey) -> set[int]:
        found = {
            seed
            for study in self.studies
            if self.dataset in study.datasets
            for name in study.arms
            if arm_key(study, name) == key
            for seed in study.seeds_of(name)
        }
        return found if self.seeds is None else found & set(self.seeds)

    def registered(self, *keys: ArmKey) -> int:
        """Number of seeds that all these arms are registered for; 0 if one is not there."""
        return len(self.seeds_of(*keys))

    def paired(self, *keys: ArmKey, below: int | None = None) -> tuple[Arm, ...] | None:
        """The arms with the registered seeds that all have; None if there are none.

        With `below`, the seeds below that number are taken instead of the registered ones. A study
        that is no stage has registered nothing, and all seeds count.
        """
        arms = self.runs.paired(self.dataset, *keys) if self.runs else None
        if arms is None:
            return None
        if below is not None:
            seeds = [seed for seed in arms[0].seeds if seed < below]
        elif self.letter:
            registered = self.seeds_of(*keys)
            seeds = [seed for seed in arms[0].seeds if seed in registered]
        else:
            seeds = arms[0].seeds
        return tuple(arm.among(seeds) for arm in arms) if seeds else None

    def complete(self) -> bool:
        """Whether every registered run on its data set is in."""
        runs = {(arm.key, seed) for arm in self.arms for seed in arm.seeds}
        return all(
            (arm_key(study, name), seed) in runs
            for study in self.studies
            if self.dataset in study.datasets
            for name in study.arms
            for seed in study.seeds_of(name)
        )

    def residual(
        self, value: Callable[[Arm], np.ndarray], below: int | None = None
    ) -> Residual | None:
        """Pooled residual of a value (S,) of every arm; None if it has no freedom.

        Arm plus seed, in one fit for each network: only there do runs of one seed share weights.
        Arms that repeat others in another precision are left out. `below` is as for `paired`.
        """
        networks: dict[tuple[int, ...], dict[tuple[str, int], float]] = {}
        for stage in (self, *self.beside):
            for arm, seed, number in stage._values(value, below):
                name = str(replace(arm.settings, seed=0))
                networks.setdefault(arm.settings.widths, {})[name, seed] = number
        found = []
        for values in networks.values():
            try:
                found.append(pooled_residual(values))
            except ValueError:
                return None
        if len(found) == 1:
            return found[0]
        freedom = sum(residual.freedom for residual in found)
        if not freedom:
            return None
        squares = sum(residual.variance * residual.freedom for residual in found)
        return Residual(squares / freedom, freedom)

    def _values(self, value: Callable, below: int | None) -> Iterator[tuple[Arm, int, float]]:
        for arm in self.arms:
            if "precision" in arm.key.settings:
                continue
            if self.spread_arms and arm.key not in self.spread_arms:
                continue
            for seed, number in zip(arm.seeds, value(arm), strict=True):
                if self._counted(seed, below):
                    yield arm, seed, float(number)

    def _counted(self, seed: int, below: int | None) -> bool:
        if below is not None:
            return seed < below
        if self.spread_seeds is not None:
            return seed in self.spread_seeds
        if not self.letter:
            return True
        return any(seed in study.seeds_of(name) for study in self.studies for name in study.arms)


RESTING = ("D", "E")  #: stages whose runs are set aside, by the protocol


def stage_by_letter(letter: str, runs: Mapping[str, Runs | None], dataset: str) -> Stage:
    """A stage of the protocol, "A" to "E", or of the second registration, "F1", say.

    `runs` are those that are in, by the study's name.
    """
    stages = {study.stage: study for study in STUDIES.values() if study.stage}
    if letter not in stages:
        raise ValueError(f"letter={letter!r} should be one of {', '.join(sorted(stages))}")
    return Stage(runs.get(stages[letter].name), stages[letter], dataset)


def stage_at(place: Place, runs: Mapping[str, Runs | None]) -> Stage:
    """What decides a claim at a place of the table of claims; `runs` as for `stage_by_letter`."""
    arms = frozenset(ArmKey(**ARMS[name]) for name in place.spread_arms)
    beside = tuple(
        Stage(
            runs.get(name), STUDIES[name], place.dataset,
            spread_arms=arms, spread_seeds=place.spread_seeds,
        )
        for name in place.spread
    )  # fmt: skip
    return Stage(
        merged(*(runs.get(name) for name in (place.study, *place.others))),
        STUDIES[place.study],
        place.dataset,
        tuple(STUDIES[name] for name in place.others),
        place.seeds,
        beside,
    )


def is_due(place: Place, runs: Mapping[str, Runs | None]) -> bool:
    """Whether all studies that a look waits for are complete."""
    return all(
        Stage(runs.get(name), STUDIES[name], dataset).complete()
        for name in place.when
        for dataset in STUDIES[name].datasets
    )


def read_stages(folder: str | os.PathLike | None = None) -> dict[str, Runs | None]:
    """What is in of every stage of the protocol, by the study's name; errors of `read_runs`."""
    return {name: read_runs(name, folder=folder) for name, study in STUDIES.items() if study.stage}


def stages_to_show(
    runs: Mapping[str, Runs | None], folder: str | os.PathLike | None = None
) -> list[Stage]:
    """Where components and Glorot can be compared: CIFAR-10 first, the longest runs first.

    Where no stage has three pairs yet, the exploratory study `paper` (or its reduced runs) stands
    behind. `NoResults` if no runs of both are there.
    """
    explored = full_or_reduced_runs("paper", folder=folder)
    found = []
    for dataset in PUBLISHED:
        stages = [
            on for letter in "ADB" if (on := stage_by_letter(letter, runs, dataset)).n(*_MAIN)
        ]
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
