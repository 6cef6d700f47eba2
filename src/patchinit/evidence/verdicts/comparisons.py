"""What the registered rules compare: estimates of one stage on one data set, pair by pair.

Each function gives None where an arm has no runs, or no seed in common with the others that was
made under like conditions. Seeds beyond the registered ones are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...experiments.plan import Study
from ...experiments.studies import STUDIES
from ..arms import Arm, Of
from ..curves import first_epoch, mean_over_epochs
from ..estimates import (
    Estimate,
    MeanSquares,
    Residual,
    accuracy_estimate,
    mean_estimate,
    mean_squares,
    pooled_mean_estimate,
    pooled_residual,
)
from ..intervals import rank_correlations
from ..results import Runs, of_named

GLOROT, COMPONENTS, KMEANS = Of("glorot_uniform"), Of("principal_components"), Of("kmeans")
PATCHES, RANDOM, COSINE = Of("random_patches"), Of("random_orthonormal"), Of("cosine_basis")
GLOROT_AT_1 = Of("glorot_uniform", norm=1.0)
COMPONENTS_AT_GLOROT = Of("principal_components", norm="glorot")
FROZEN_COMPONENTS = Of("principal_components", frozen=True)
FROZEN_RANDOM = Of("random_orthonormal", frozen=True)

HORIZON = 50  #: epochs that speed is averaged over
THRESHOLD = 0.9  #: share of Glorot's final accuracy that the epochs saved are counted to


@dataclass(frozen=True)
class Stage:
    """One stage of the protocol on one data set: the runs that are in, and what was registered."""

    runs: Runs | None
    study: Study
    dataset: str

    @property
    def letter(self) -> str:
        return self.study.stage

    @property
    def epochs(self) -> int:
        return self.study.common["epochs"]

    def registered(self, *of: Of) -> int:
        """Seeds that all these arms are registered for; 0 if the stage has one of them not."""
        if self.dataset not in self.study.datasets:
            return 0
        seeds = {of_named(self.study, name): self.study.seeds_of(name) for name in self.study.arms}
        return min(len(seeds.get(one, ())) for one in of)

    def paired(self, *of: Of, below: int | None = None) -> tuple[Arm, ...] | None:
        """The arms with the registered seeds that all have; None if there are none."""
        below = self.registered(*of) if below is None else below
        if self.runs is None or not self.runs.has(self.dataset, *of):
            return None
        arms = self.runs.paired(self.dataset, *of)
        seeds = [seed for seed in arms[0].seeds if seed < below]
        return tuple(arm.among(seeds) for arm in arms) if seeds else None

    def residual(
        self, value: Callable[[Arm], np.ndarray], below: int | None = None
    ) -> Residual | None:
        """Pooled residual of a value of every run but the fp32 twins; None if it has no freedom."""
        below = max(map(len, map(self.study.seeds_of, self.study.arms))) if below is None else below
        values = {
            (arm.of.label, seed): float(of_seed)
            for arm in (self.runs.arms if self.runs else ())
            if arm.dataset == self.dataset and "precision" not in arm.of.settings
            for seed, of_seed in zip(arm.seeds, value(arm), strict=True)
            if seed < below
        }
        try:
            return pooled_residual(values)
        except ValueError:
            return None


def stage(letter: str, runs: Mapping[str, Runs | None], dataset: str) -> Stage:
    """A stage by its letter; `runs` by the study's name, as far as they are in."""
    study = next(study for study in STUDIES.values() if study.stage == letter)
    return Stage(runs.get(study.name), study, dataset)


@dataclass(frozen=True)
class Accuracy:
    """A difference of final accuracies with what its size is judged by."""

    estimate: Estimate
    squares: MeanSquares
    residual: Residual
    weights: tuple[float, ...]


def accuracy(on: Stage, weights: Mapping[Of, float], below: int | None = None) -> Accuracy | None:
    """A weighted sum of final accuracies, in percentage points.

    Parameters
    ----------
    on : Stage
    weights : mapping of Of to float
        +1 and -1 for a pair.
    below : int, optional
        Only seeds below this, of all runs: a look at claim 2.
    """
    arms = on.paired(*weights, below=below)
    residual = on.residual(lambda arm: arm.final, below)
    if arms is None or residual is None:
        return None
    of = tuple(weights.values())
    squares = mean_squares([arm.correct for arm in arms], of)
    return Accuracy(accuracy_estimate(squares, residual, of), squares, residual, of)


def speed(on: Stage, one: Of = COMPONENTS, other: Of = GLOROT, horizon: int = HORIZON):
    """Difference of the accuracies averaged over the first epochs (a restricted mean), in pp."""

    def area(arm: Arm) -> np.ndarray:
        return mean_over_epochs(arm.accuracy, min(horizon, arm.accuracy.shape[1]))

    arms, residual = on.paired(one, other), on.residual(area)
    if arms is None or residual is None:
        return None
    return pooled_mean_estimate(area(arms[0]) - area(arms[1]), residual)


@dataclass(frozen=True)
class Saved:
    """Epochs to a share of Glorot's final accuracy."""

    estimate: Estimate  #: difference of the first epochs, pair by pair
    never: int  #: runs of either arm that never got there; each counts with its last epoch


def epochs_saved(
    on: Stage, one: Of = COMPONENTS, other: Of = GLOROT, share: float = THRESHOLD
) -> Saved | None:
    """How many epochs earlier the first arm reaches a share of the second's final accuracy."""
    arms = on.paired(one, other)
    if arms is None:
        return None
    goal = share * arms[1].final.mean()
    (first, reached), (base, base_reached) = (first_epoch(arm.accuracy, goal) for arm in arms)
    never = int((~reached).sum() + (~base_reached).sum())
    return Saved(mean_estimate(first - base), never)


Measure = Callable[[Arm], np.ndarray]  # (S, F) of an arm, a line a seed


def cosine(arm: Arm) -> np.ndarray:
    """(S, F), cosine distance of each filter from its start, at the end."""
    return arm.final_distances


def ratio(
    on: Stage,
    one: Of,
    other: Of,
    measure: Measure = cosine,
    over_filters: Callable[..., np.ndarray] = np.mean,
) -> Estimate | None:
    """How much further one arm's filters turn than another's: ratio of the mean distances.

    The geometric mean over seeds.
    """
    arms = on.paired(one, other)
    if arms is None:
        return None
    first, second = (over_filters(measure(arm), axis=1) for arm in arms)
    return mean_estimate(np.log(first / second), math.exp)


def order(
    on: Stage, of: Of = COMPONENTS, *, with_last: bool = True, measure: Measure = cosine
) -> Estimate | None:
    """Rank correlation of a filter's distance with its index, averaged after Fisher's transform.

    Correlations beyond +-0.999 count as that: with few filters a perfect order would be infinite.
    """
    arms = on.paired(of)
    if arms is None:
        return None
    distances = measure(arms[0]) if with_last else measure(arms[0])[:, :-1]
    correlations = np.clip(rank_correlations(distances), -0.999, 0.999)
    return mean_estimate(np.arctanh(correlations), math.tanh)


def rank_of_last(on: Stage, of: Of = COMPONENTS) -> list[int]:
    """The rank of the last filter's distance among all, of each seed; F if it turned furthest."""
    arms = on.paired(of)
    if arms is None:
        return []
    return [int((row <= row[-1]).sum()) for row in arms[0].final_distances]


def gradient_at_the_end(on: Stage, of: Of) -> float | None:
    """Norm on the sphere of the gradient at the end over that at the start.

    Geometric mean over filters and seeds; None where the records have no gradients.
    """
    arms = on.paired(of)
    if arms is None or any(not result.gradient_norms.size for result in arms[0].results):
        return None
    logs = [np.log(r.gradient_norms[-1] / r.gradient_norms[0]) for r in arms[0].results]
    return float(np.exp(np.mean(logs)))


def turned_by_noise(null: Stage, trained: Stage, of: Of) -> list[float]:
    """Mean distance of trained filters over that without information, after the null's epochs.

    Both after the same steps at the same rate; a ratio for each seed that both stages have.
    """
    if null.runs is None or trained.runs is None:
        return []
    arms = [on.runs.find(on.dataset, of) for on in (null, trained)]
    if None in arms:
        return []
    shared: Sequence[int] = sorted(set(arms[0].seeds) & set(arms[1].seeds))
    noise, informed = (
        [arm.run(seed).distances[null.epochs].mean() for seed in shared] for arm in arms
    )
    return [float(a / b) for a, b in zip(informed, noise, strict=True)]
