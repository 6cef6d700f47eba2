"""Claims 7 to 11: how far filters turn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...data.catalogue import PUBLISHED
from ..arms import Arm, Of
from ..intervals import (
    Interval,
    correlation_interval,
    geometric_interval,
    mean_interval,
    rank_correlations,
)
from ..results import Runs
from ..significance import equivalence_p
from .rules import BASE, NO, OPEN, YES, Effect, Finding, all_of, by_side, reduced

MORE = math.log(1.25)  #: at equal norms, a quarter further is the least that counts as "most"
LESS = math.log(0.8)  #: and a fifth less the least that counts as "little"
NO_TREND = 0.2  #: rank correlations below it are no trend

COMPONENTS, RANDOM = Of("principal_components"), Of("random_orthonormal")
FROM_DATA = (COMPONENTS, Of("kmeans"))
#: Pairs of equal norm: Glorot's directions against filters from the data.
MATCHED = (
    *((Of(BASE, norm=1.0), of) for of in FROM_DATA),
    *((Of(BASE), Of(of.method, norm="glorot")) for of in FROM_DATA),
)
Pairs = Sequence[tuple[Of | str, Of | str]]


def turn_ratio(runs: Runs, dataset: str, pairs: Pairs) -> Interval | None:
    """How much further each pair's first arm turns than its second: ratio of the median distances.

    The geometric mean over the pairs that have runs, seed by seed; None if no pair has.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> runs = read_runs("paper-small")  # in the book's repository
    >>> print(f"{turn_ratio(runs, 'cifar10', [('glorot_uniform', 'kmeans')]):.1f}")
    8.7 [4.4, 17.0]
    """
    logs = []
    for one, other in pairs:
        if runs.has(dataset, one, other):
            a, b = runs.paired(dataset, one, other)
            logs.append(dict(zip(a.seeds, np.log(a.turned / b.turned), strict=True)))
    seeds = sorted(set.intersection(*map(set, logs))) if logs else []
    if not seeds:
        return None
    return geometric_interval([np.exp(np.mean([log[seed] for log in logs])) for seed in seeds])


def over_noise(arm: Arm) -> Interval:
    """Median distance at the end over what noise alone would do to the arm's mean norm.

    The geometric mean over seeds; 1 is noise alone.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> arm = read_runs("paper-small").arm("cifar10", "kmeans")  # in the book's repository
    >>> print(f"{over_noise(arm):.1f}")
    0.4 [0.2, 1.0]
    """
    return geometric_interval(arm.turned / arm.noise()[-1])


def norm_slope(arms: Sequence[Arm]) -> float | None:
    """Slope of the logarithm of the median distance over that of the norm at the start.

    By least squares over all runs of the arms; None where their norms differ by less than a
    factor of exp(0.5) = 1.65, which leaves no slope to speak of.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> runs = read_runs("norms-small")  # in the book's repository
    >>> arms = [runs.arm("cifar10", Of("principal_components", norm=norm)) for norm in (0.25, 5.0)]
    >>> print(f"{norm_slope(arms):.1f}")
    -2.0
    """
    if not arms:
        return None
    norms, turned, _ = _by_run(arms)
    return float(np.polyfit(norms, turned, 1)[0]) if np.ptp(norms) > 0.5 else None


def norm_share(arms: Sequence[Arm], *, by_method: bool = False) -> float:
    """Share of the variance of the logarithm of the distance that the norm explains, 0 to 1.

    By a parabola in the logarithm of the norm.

    Parameters
    ----------
    arms : sequence of Arm
    by_method : bool
        Explained by the norm and the method together: the parabola has a level for each method.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> runs = read_runs("norms-small")  # in the book's repository
    >>> arms = [runs.arm("cifar10", Of("principal_components", norm=norm)) for norm in (0.25, 5.0)]
    >>> norm_share(arms) > 0.9
    True
    """
    norms, turned, methods = _by_run(arms)
    levels = (
        [methods == name for name in np.unique(methods)] if by_method else [np.ones_like(norms)]
    )
    design = np.stack([norms, norms**2, *levels], axis=1).astype(float)
    rest = turned - design @ np.linalg.lstsq(design, turned, rcond=None)[0]
    return float(1 - rest.var() / turned.var())


def _by_run(arms: Sequence[Arm]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log of the mean norm at the start, log of the median distance and method of every run."""
    return (
        np.concatenate([np.log(arm.norms[:, 0].mean(axis=1)) for arm in arms]),
        np.concatenate([np.log(arm.turned) for arm in arms]),
        np.concatenate([[arm.settings.method] * len(arm.results) for arm in arms]),
    )


def trend(arm: Arm, *, with_last: bool = True) -> Interval:
    """Rank correlation of a filter's distance with its index, mean over seeds.

    The last filter is brightness.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> arm = read_runs("paper-small").arm("cifar10", "principal_components")
    >>> print(f"{trend(arm):+.1f}")
    +0.3 [+0.2, +0.4]
    """
    distances = arm.final_distances if with_last else arm.final_distances[:, :-1]
    return correlation_interval(rank_correlations(distances))


def change_findings(paper: Runs | None, norms: Runs | None, frozen: Runs | None) -> list[Finding]:
    """Claims 7 to 11, on each data set and then together."""
    readings: dict[int, list[str]] = {7: [], 8: [], 9: [], 10: []}
    effects: dict[int, list[Effect]] = {claim: [] for claim in readings}
    for dataset in PUBLISHED:
        parts = {
            7: _most_changed(paper, norms, dataset),
            8: _little_changed(paper, dataset),
            9: _frozen_gain(frozen, dataset),
            10: _trend(paper, dataset),
        }
        for claim, (reading, seen) in parts.items():
            # Little change says something of a minimum only where it is not owed to the norm.
            whole = all_of([parts[7][0], parts[8][0], reading]) if claim == 9 else reading
            readings[claim].append(whole)
            effects[claim] += seen
    used = {7: (paper, norms), 8: (paper,), 9: (paper, norms, frozen), 10: (paper,)}
    rests_on = {9: {claim: readings[claim] for claim in (7, 8)}} if effects[7] else {}
    found = [
        Finding(
            claim,
            all_of(of_claim),
            reduced(*used[claim]),
            tuple(effects[claim]),
            rests_on.get(claim, {}),
        )
        for claim, of_claim in readings.items()
    ]
    both = all_of([reading for of_claim in readings.values() for reading in of_claim])
    every = readings if paper else {}
    return [*found, Finding(11, both, reduced(paper, norms, frozen), parts=every)]


Part = tuple[str, list[Effect]]  # reading and effects, on one data set


def _ratio(value: Interval, dataset: str, pairs: Pairs) -> Effect:
    return Effect("turn", dataset, value, "ratio", tuple(pairs))


def _most_changed(paper: Runs | None, norms: Runs | None, dataset: str) -> Part:
    pairs = [(Of(BASE), of) for of in FROM_DATA]
    own = [turn_ratio(paper, dataset, [pair]) for pair in pairs] if paper else [None]
    if None in own:
        return OPEN, []
    effects = [_ratio(value, dataset, [pair]) for value, pair in zip(own, pairs, strict=True)]
    matched = turn_ratio(norms, dataset, MATCHED) if norms else None
    if matched:
        effects.append(_ratio(matched, dataset, MATCHED))
    if any(ratio.high < 1 for ratio in own) or (matched and math.log(matched.high) < MORE):
        return NO, effects
    if matched and matched.low > 1 and all(ratio.low > 1 for ratio in own):
        return YES, effects
    return OPEN, effects


def _little_changed(paper: Runs | None, dataset: str) -> Part:
    pairs = [(of, RANDOM) for of in FROM_DATA]
    ratios = [turn_ratio(paper, dataset, [pair]) for pair in pairs] if paper else [None]
    if None in ratios:
        return OPEN, []
    readings = [
        YES
        if ratio.high < 1 and math.log(ratio.estimate) < LESS
        else NO
        if math.log(max(ratio.low, 1e-9)) > LESS
        else OPEN
        for ratio in ratios
    ]
    effects = [_ratio(value, dataset, [pair]) for value, pair in zip(ratios, pairs, strict=True)]
    return all_of(readings), effects


def _trend(paper: Runs | None, dataset: str) -> Part:
    arm = paper.find(dataset, COMPONENTS) if paper else None
    if not arm:
        return OPEN, []
    every, without = trend(arm), trend(arm, with_last=False)
    effects = [
        Effect(measure, dataset, value, "rank correlation", ((COMPONENTS,),))
        for measure, value in (("trend", every), ("trend without the last", without))
    ]
    if every.low > 0 and without.low > 0:
        return YES, effects
    return (NO if without.high < NO_TREND else OPEN), effects


def _frozen_gain(frozen: Runs | None, dataset: str) -> Part:
    pair = tuple(Of(of.method, frozen=True) for of in (COMPONENTS, RANDOM))
    if not frozen or not frozen.has(dataset, *pair):
        return OPEN, []
    ours, random = frozen.paired(dataset, *pair)
    differences = ours.final - random.final
    gain, equivalent = mean_interval(differences), equivalence_p(differences) < 0.05
    effect = Effect("final accuracy", dataset, gain, "pp", (pair,), equivalent=equivalent)
    return by_side(gain, close=NO if equivalent else OPEN), [effect]
