"""What was collected, as arrays: the full runs if there are any, else the reduced ones."""

from __future__ import annotations

import functools
import hashlib
import html
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..data.catalogue import DATASETS
from ..experiments.collect import read_manifest
from ..experiments.files import StorageError
from ..experiments.provenance import conditions
from ..experiments.record import Result, RunRefused, unpack_result
from ..experiments.registration import Registration, read_registration
from ..experiments.settings import Settings
from ..experiments.studies import STUDIES
from ..filters.measures import cosine_distance
from .noise import noise_distance, noise_quantile


class NoResults(FileNotFoundError):
    """No folder of results; the text says how to get one."""


@dataclass(frozen=True)
class Arm:
    """The finished runs of one arm on one data set, a line a seed.

    S seeds, E epochs, F filters, N test images.
    """

    name: str
    dataset: str
    results: tuple[Result, ...]  #: by seed

    @property
    def settings(self) -> Settings:
        """Of the first seed; the others differ from it in the seed alone."""
        return self.results[0].settings

    @property
    def seeds(self) -> list[int]:
        return [result.settings.seed for result in self.results]

    @property
    def accuracy(self) -> np.ndarray:
        """(S, E), test accuracy after each epoch in percent."""
        return 100 * np.array(
            [[epoch.test_accuracy for epoch in result.epochs] for result in self.results]
        )

    @property
    def correct(self) -> np.ndarray:
        """Bool (S, N), at the end."""
        return np.stack([result.correct for result in self.results])

    @property
    def final(self) -> np.ndarray:
        """(S,), accuracy at the end in percent."""
        return 100 * self.correct.mean(axis=1)

    @property
    def norms(self) -> np.ndarray:
        """(S, E + 1, F), of each filter, the start first."""
        return np.stack([result.norms for result in self.results])

    @property
    def distances(self) -> np.ndarray:
        """(S, E + 1, F), cosine distance of each filter from its start."""
        return np.stack([result.distances for result in self.results])

    @functools.cached_property
    def final_distances(self) -> np.ndarray:
        """(S, F), at the end, from the filters themselves.

        The course over epochs is kept in half precision.
        """
        return np.stack(
            [
                cosine_distance(
                    torch.from_numpy(result.filters[0]), torch.from_numpy(result.filters[-1])
                ).numpy()
                for result in self.results
            ]
        )

    @property
    def turned(self) -> np.ndarray:
        """(S,), median over the filters of the cosine distance at the end."""
        return np.median(self.final_distances, axis=1)

    @property
    def squared_rates(self) -> np.ndarray:
        """(E + 1,), sum of the squared learning rates of all steps until after each epoch.

        Noise feeds on it.
        """
        settings = self.settings
        n_images = settings.n_train or DATASETS[settings.dataset].n_train - settings.n_held_out
        steps = -(-n_images // settings.batch_size)
        rates = [settings.rate(epoch) for epoch in range(1, settings.epochs + 1)]
        return np.concatenate([[0.0], np.cumsum(np.square(rates)) * steps])

    def noise(self, norm: float | None = None) -> np.ndarray:
        """(E + 1,), expected distance if only noise had moved a filter under Adam.

        Computed from the mean norm at the start.
        """
        norm = float(self.norms[:, 0].mean()) if norm is None else norm
        return noise_distance(norm, self.squared_rates, self.results[0].filters[0, 0].size)

    def noise_band(self) -> np.ndarray:
        """(E + 1, 2), between which 95 % of such filters would lie."""
        norm, size = float(self.norms[:, 0].mean()), self.results[0].filters[0, 0].size
        return np.stack(
            [noise_quantile(norm, self.squared_rates, size, q) for q in (0.025, 0.975)], axis=1
        )

    def among(self, seeds: list[int]) -> Arm:
        """Only the runs of some seeds."""
        return Arm(
            self.name, self.dataset, tuple(r for r in self.results if r.settings.seed in seeds)
        )


@dataclass(frozen=True)
class Runs:
    """The finished runs of one study, or of several that share their settings."""

    studies: tuple[str, ...]
    arms: dict[tuple[str, str], Arm]  #: by data set and name of the arm
    manifests: tuple[dict, ...]
    n_planned: int
    n_diverged: int  #: left out of `arms`
    registration: Registration = Registration()  #: says which versions of the code train alike

    @property
    def reduced(self) -> bool:
        """Too small to decide a claim about full runs."""
        return any(manifest["reduced"] for manifest in self.manifests)

    @property
    def n_finished(self) -> int:
        return sum(manifest["runs_finished"] for manifest in self.manifests)

    def has(self, dataset: str, *names: str, across_precision: bool = False) -> bool:
        """Whether all these arms have runs, and a seed in common made under like conditions."""
        return bool(self._pairs(dataset, names, across_precision)[0])

    def paired(self, dataset: str, *names: str, across_precision: bool = False) -> tuple[Arm, ...]:
        """The arms, each with the seeds that all of them have, made under like conditions.

        Pairs are compared to the last image, so both runs must have been made on the same kind of
        device, in the same precision, and by code that trains alike; other seeds are left out.

        Parameters
        ----------
        dataset, *names : str
        across_precision : bool
            Precision is what is to be compared, and may differ.

        Raises
        ------
        KeyError
            An arm without runs, or no such seed in common; `has` tells beforehand.
        """
        seeds, unlike = self._pairs(dataset, names, across_precision)
        if not seeds:
            reason = f"; unlike conditions: {'; '.join(unlike)}" if unlike else ""
            where = f"{dataset} have no seed in common in {', '.join(self.studies)}"
            raise KeyError(f"{', '.join(names)} on {where}{reason}")
        return tuple(self.arms[dataset, name].among(seeds) for name in names)

    def _pairs(
        self, dataset: str, names: tuple, across_precision: bool
    ) -> tuple[list[int], list[str]]:
        """Seeds that can be compared, and for each of the others that all arms have, why not."""
        if not all((dataset, name) in self.arms for name in names):
            return [], []
        arms = [self.arms[dataset, name] for name in names]
        by_seed = [
            {result.settings.seed: self._conditions(result) for result in arm.results}
            for arm in arms
        ]
        seeds, unlike = [], []
        for seed in sorted(set.intersection(*map(set, by_seed))):
            values = {key: {of[seed][key] for of in by_seed} for key in by_seed[0][seed]}
            differing = [
                f"{key} {', '.join(sorted(those))}"
                for key, those in values.items()
                if len(those) > 1 and not (key == "precision" and across_precision)
            ]
            if differing:
                unlike.append(f"seed {seed} has {' and '.join(differing)}")
            else:
                seeds.append(seed)
        return seeds, unlike

    def _conditions(self, result: Result) -> dict:
        under = conditions(result.settings, result.about)
        return under | {"code": self.registration.training(under["code"])}

    @property
    def datasets(self) -> list[str]:
        """Data sets with runs, CIFAR-10 first."""
        present = {dataset for dataset, _ in self.arms}
        return [name for name in DATASETS if name in present]

    def describe(self) -> str:
        """One sentence: which runs, how many, and whether they are reduced."""
        settings = next(iter(self.arms.values())).settings
        seeds = sorted({seed for arm in self.arms.values() for seed in arm.seeds})
        hardware = sorted({name for manifest in self.manifests for name in manifest["hardware"]})
        images = (
            "all training images"
            if settings.n_train is None
            else f"{settings.n_train:,} training images"
        )
        text = (
            f"{'Reduced runs' if self.reduced else 'Full runs'} ({' and '.join(self.studies)}): "
            f"{self.n_finished} of {self.n_planned} runs, "
            f"{len(seeds)} seed{'s'[: len(seeds) > 1]}, {settings.epochs} epochs of {images}, "
            f"made on {'; '.join(hardware)}."
        )
        if self.n_diverged:
            text += f" {self.n_diverged} diverged and are left out."
        return text

    def _repr_html_(self) -> str:
        if not self.reduced:
            return f'<p class="data-source">{html.escape(self.describe())}</p>'
        return (
            '<div class="admonition important"><p class="admonition-title">Reduced runs</p><p>'
            f"{html.escape(self.describe())} They are too small and too short to decide "
            "a claim about the paper's full runs, and no verdict is drawn from them.</p></div>"
        )


def find_results(folder: str | os.PathLike | None = None) -> Path:
    """The folder of collected results: the one given, or ``results/`` here or in a folder above.

    Raises
    ------
    NoResults
        There is none.
    """
    if folder is not None:
        if not Path(folder).is_dir():
            raise NoResults(
                f"results={str(folder)!r} is no folder; "
                "name the one that `patchinit collect` wrote to"
            )
        return Path(folder)
    here = Path.cwd()
    for place in (here, *here.parents):
        if any(place.glob("results/*/manifest.json")):
            return place / "results"
    raise NoResults(
        f"no results/ in {here} or above it; clone the book's repository and start there, "
        "or name the folder that `patchinit collect` wrote to"
    )


def read_runs(*studies: str, folder: str | os.PathLike | None = None) -> Runs | None:
    """All finished runs of the studies named; None if nothing of them was collected.

    Raises
    ------
    NoResults
        There is no folder of results at all.
    RunRefused
        A record is damaged, or of settings that no arm of its study has (any more).
    StorageError
        A file that a manifest lists is missing or another one.
    """
    root = find_results(folder)
    present = [name for name in studies if (root / name / "manifest.json").exists()]
    if not present:
        return None
    found: dict[tuple[str, str], dict[int, Result]] = {}
    manifests, n_diverged = [], 0
    for name in present:
        manifest = read_manifest(root / name)
        manifests.append(manifest)
        for file, digest in manifest["files"].items():
            if not file.startswith("runs/"):
                continue
            path = root / name / file
            result = _listed(path, digest)
            run = STUDIES[name].run_of(result.settings)
            if run is None:
                raise RunRefused(
                    f"{path} has the settings of no arm of {name!r}; give the study its arm back, "
                    "or take the record out of the folder and out of manifest.json"
                )
            if result.diverged:
                n_diverged += 1
            else:
                found.setdefault((run.settings.dataset, run.arm), {})[run.settings.seed] = result
    arms = {
        (dataset, arm): Arm(arm, dataset, tuple(by[seed] for seed in sorted(by)))
        for study in map(STUDIES.get, present)
        for dataset in study.datasets
        for arm in study.arms
        if (by := found.get((dataset, arm)))
    }
    if not arms:
        return None
    n_planned = sum(manifest["runs_planned"] for manifest in manifests)
    return Runs(
        tuple(present), arms, tuple(manifests), n_planned, n_diverged, read_registration(root)
    )


def _listed(path: Path, digest: str) -> Result:
    """A record that a manifest lists, if it is the one."""
    way_out = f"restore it: git checkout {path}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror}; {way_out}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise StorageError(f"{path} is not the file that manifest.json lists; {way_out}")
    return unpack_result(content, path)


def best_runs(study: str, folder: str | os.PathLike | None = None) -> Runs | None:
    """The full runs of a study; without any, its reduced ones.

    The reduced ones come with those of paper-small that stand beside them.
    """
    full = read_runs(study, folder=folder)
    if full is not None or f"{study}-small" not in STUDIES:
        return full
    small = read_runs(f"{study}-small", folder=folder)
    if small is None or study != "norms":
        return small
    return read_runs("paper-small", "norms-small", folder=folder)
