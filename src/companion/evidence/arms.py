"""One arm: which it is, by its settings, and what its runs measured, as arrays."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, fields

import numpy as np
import torch

from patchinit.data.catalogue import DATASETS
from patchinit.filters.measures import cosine_distance
from patchinit.filters.methods import method_of

from ..runs.record import Result
from ..runs.settings import Settings
from .noise import noise_distance, noise_quantile

_SETTINGS = {field.name for field in fields(Settings)} - {"dataset", "seed"}
_IN_WORDS = {
    "norm": lambda norm: " at Glorot's norm" if norm == "glorot" else f" at norm {norm:g}",
    "frozen": lambda _: ", never trained",
    "widths": lambda widths: f", {widths_in_words(widths)}",
    "layers": lambda layers: ", every layer" if layers == "all" else f", {layers} layer",
    "others": lambda name: f", other layers {name}",
    "label_share": lambda share: f", {share:.0%} of the labels",
    "n_images": lambda n: f", {n:,} image{'s'[: n > 1]}",
    "optimizer": lambda name: f", {name.upper() if name == 'sgd' else name}",
    "precision": lambda name: f", {name}",
}


def widths_in_words(widths: tuple[int, ...]) -> str:
    """The blocks behind the first, as many of one width together.

    >>> widths_in_words((16,) * 10), widths_in_words((32, 32, 64))
    ('10×16', '2×32-1×64')
    """
    return "-".join(f"{len(list(of_one))}\u00d7{n}" for n, of_one in itertools.groupby(widths))


@dataclass(frozen=True, init=False)
class ArmKey:
    """Which arm of a study: its method, and in what else it differs from the study's other arms.

    `settings` are further fields of `Settings`, such as norm, frozen or label_share. What is not
    given is as the study has it in common for all arms, or else the default. ValueError for a
    method or a field that there is not.

    Examples
    --------
    >>> ArmKey("kmeans", norm="glorot").label
    "k-means at Glorot's norm"
    """

    method: str
    rest: tuple[tuple[str, object], ...]  #: the further settings, sorted by name

    def __init__(self, method: str = "glorot_uniform", **settings: object) -> None:
        if unknown := settings.keys() - _SETTINGS:
            raise ValueError(
                f"settings={', '.join(sorted(unknown))} should be among "
                f"{', '.join(sorted(_SETTINGS - {'method'}))}"
            )
        method_of(method)  # says which there are
        object.__setattr__(self, "method", method)
        object.__setattr__(self, "rest", tuple(sorted(settings.items())))

    @property
    def settings(self) -> dict:
        """All that it names, by field of `Settings`."""
        return {"method": self.method, **dict(self.rest)}

    @property
    def label(self) -> str:
        """In words, the method's label and what differs."""
        words = [
            _IN_WORDS.get(name, lambda value, name=name: f", {name} {value}")(value)
            for name, value in self.rest
        ]
        # The norm belongs to the method's name; the rest follows after commas.
        return method_of(self.method).label + "".join(sorted(words, key=lambda w: w[0] == ","))


def _finite(rows: np.ndarray) -> np.ndarray:
    """Rows up to the last that is finite; all of them but for a run that diverged."""
    if np.isfinite(rows[-1]).all():
        return rows
    finite = np.isfinite(rows.reshape(len(rows), -1)).all(axis=1)
    return rows[: np.flatnonzero(finite)[-1] + 1] if finite.any() else rows


def _to_the_end(rows: np.ndarray, n: int) -> np.ndarray:
    """n rows: those that there are, and the last finite one for all that did not come."""
    rows = _finite(rows)
    return np.concatenate([rows, np.repeat(rows[-1:], n - len(rows), axis=0)])


@dataclass(frozen=True)
class Arm:
    """The finished runs of one arm on one data set: S seeds, E epochs, F filters, N test images.

    A run that diverged stays as it ended: its last accuracy and its last finite filters stand for
    all epochs that it did not make, as registered.
    """

    key: ArmKey
    dataset: str
    results: tuple[Result, ...]  #: by seed

    @property
    def settings(self) -> Settings:
        """Of the first seed; the others differ from it in the seed alone."""
        return self.results[0].settings

    @property
    def seeds(self) -> list[int]:
        return [result.settings.seed for result in self.results]

    def course(self, name: str) -> np.ndarray:
        """(S, E), what was measured in each epoch: a field of `companion.runs.trainer.Epoch`."""
        courses = (np.array([getattr(e, name) for e in result.epochs]) for result in self.results)
        return np.stack([_to_the_end(course, self.settings.epochs) for course in courses])

    @property
    def accuracy(self) -> np.ndarray:
        """(S, E), test accuracy after each epoch in percent."""
        return 100 * self.course("test_accuracy")

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
        n = self.settings.epochs + 1
        return np.stack([_to_the_end(result.norms, n) for result in self.results])

    @property
    def distances(self) -> np.ndarray:
        """(S, E + 1, F), cosine distance of each filter from its start."""
        n = self.settings.epochs + 1
        return np.stack([_to_the_end(result.distances, n) for result in self.results])

    @property
    def ends(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """First filters at the start and at the end, each (F, C, kh, kw), of every seed."""
        return [(rows[0], rows[-1]) for rows in (_finite(r.filters) for r in self.results)]

    @functools.cached_property
    def final_distances(self) -> np.ndarray:
        """(S, F), at the end, from the filters; the course is kept in half precision."""
        ends = [(torch.from_numpy(start), torch.from_numpy(end)) for start, end in self.ends]
        return np.stack([cosine_distance(start, end).numpy() for start, end in ends])

    @property
    def turned(self) -> np.ndarray:
        """(S,), median over the filters of the cosine distance at the end."""
        return np.median(self.final_distances, axis=1)

    @property
    def squared_rates(self) -> np.ndarray:
        """(E + 1,), sum of the squared learning rates after each epoch; a walk feeds on it."""
        settings = self.settings
        n_images = settings.n_train or DATASETS[settings.dataset].n_train - settings.n_held_out
        steps = -(-n_images // settings.batch_size)
        rates = [settings.rate(epoch) for epoch in range(1, settings.epochs + 1)]
        return np.concatenate([[0.0], np.cumsum(np.square(rates)) * steps])

    def noise(self, norm: float | None = None) -> np.ndarray:
        """(E + 1,), expected distance of a filter of this norm after an isotropic walk under Adam.

        Default: of the mean norm at the start.
        """
        norm = float(self.norms[:, 0].mean()) if norm is None else norm
        size = self.results[0].filters[0, 0].size
        return np.asarray(noise_distance(norm, self.squared_rates, size))

    def noise_band(self) -> np.ndarray:
        """(E + 1, 2), between which 95 % of such filters would lie."""
        norm, size = float(self.norms[:, 0].mean()), self.results[0].filters[0, 0].size
        return np.stack(
            [noise_quantile(norm, self.squared_rates, size, q) for q in (0.025, 0.975)], axis=1
        )

    def among(self, seeds: list[int]) -> Arm:
        """Only the runs of some seeds."""
        return Arm(
            self.key, self.dataset, tuple(r for r in self.results if r.settings.seed in seeds)
        )

    def run(self, seed: int) -> Result:
        """The run of one seed; KeyError, with the seeds that there are, if it has none."""
        if seed not in self.seeds:
            raise KeyError(
                f"seed={seed} has no finished run of {self.key.label} on {self.dataset}; "
                f"choose one of {', '.join(map(str, self.seeds))}"
            )
        return self.results[self.seeds.index(seed)]
