"""Claims 7 to 11: how far filters turn."""

from __future__ import annotations

import math

import numpy as np

from ...data.catalogue import DATASETS, PUBLISHED
from ..intervals import (
    Interval,
    correlation_interval,
    geometric_interval,
    mean_interval,
    rank_correlations,
)
from ..results import Arm, Runs
from ..significance import equivalence_p
from .rules import BASE, NO, OPEN, YES, Finding, all_of, conclude

MORE = math.log(1.25)  #: at equal norms, a quarter further is the least that counts as "most"
LESS = math.log(0.8)  #: and a fifth less the least that counts as "little"
NO_TREND = 0.2  #: rank correlations below it are no trend


def turn_ratio(runs: Runs, dataset: str, pairs: list[tuple[str, str]]) -> Interval | None:
    """How much further each pair's first arm turns than its second: ratio of the median distances.

    The geometric mean over the pairs that have runs, seed by seed; None if no pair has.
    """
    logs = []
    for one, other in pairs:
        if runs.has(dataset, one, other):
            a, b = runs.paired(dataset, one, other)
            logs.append(dict(zip(a.seeds, np.log(a.turned / b.turned), strict=True)))
    if not logs:
        return None
    seeds = sorted(set.intersection(*(set(log) for log in logs)))
    if not seeds:
        return None
    return geometric_interval([np.exp(np.mean([log[seed] for log in logs])) for seed in seeds])


# Pairs of equal norm: Glorot's directions against filters from the data.
MATCHED = [
    ("glorot_uniform at norm 1", "principal_components"),
    ("glorot_uniform at norm 1", "kmeans"),
    ("glorot_uniform", "principal_components at Glorot's norm"),
    ("glorot_uniform", "kmeans at Glorot's norm"),
]
FROM_DATA = ("principal_components", "kmeans")


def change_findings(paper: Runs | None, norms: Runs | None, frozen: Runs | None) -> list[Finding]:
    """Claims 7 to 11, on each data set and then together."""
    by_claim: dict[int, list[str]] = {7: [], 8: [], 9: [], 10: []}
    evidence: dict[int, list[str]] = {claim: [] for claim in by_claim}
    for dataset in PUBLISHED:
        for claim, (reading, text) in {
            7: _most_changed(paper, norms, dataset),
            8: _little_changed(paper, dataset),
            10: _trend(paper, dataset),
        }.items():
            by_claim[claim].append(reading)
            if text:
                evidence[claim].append(f"{DATASETS[dataset].label}: {text}")
        # Little change says something of a minimum only where it is not owed to the norm.
        gain, text = _frozen_gain(frozen, dataset)
        parts = [by_claim[7][-1], by_claim[8][-1], gain]
        by_claim[9].append(all_of(parts))
        if text:
            evidence[9].append(f"{DATASETS[dataset].label}: {text}")
    evidence[9] = evidence[9] or (
        [] if not evidence[7] else ["rests on claims 7 and 8; no frozen runs yet"]
    )
    used = {7: (paper, norms), 8: (paper,), 9: (paper, norms, frozen), 10: (paper,)}
    study = {7: "norms", 8: "paper", 9: "norms, and frozen", 10: "paper"}
    found = [
        conclude(claim, all_of(readings), evidence[claim], used[claim], study[claim])
        for claim, readings in by_claim.items()
    ]
    both = all_of([reading for readings in by_claim.values() for reading in readings])
    summary = [
        f"claim {claim}: {' and '.join(dict.fromkeys(readings))}"
        for claim, readings in by_claim.items()
        if paper
    ]
    return [*found, conclude(11, both, summary, (paper, norms, frozen), "paper, norms and frozen")]


def _most_changed(paper: Runs | None, norms: Runs | None, dataset: str) -> tuple[str, str]:
    own = [turn_ratio(paper, dataset, [(BASE, arm)]) for arm in FROM_DATA] if paper else [None]
    if None in own:
        return OPEN, ""
    text = f"Glorot's filters turn {own[0]:.2f} times as far as components, {own[1]:.2f} as k-means"
    matched = turn_ratio(norms, dataset, MATCHED) if norms else None
    text += (
        f", at equal norms {matched:.2f} times as far as both"
        if matched
        else ", no runs at equal norms"
    )
    text += f" (n = {own[0].n})"
    if any(ratio.high < 1 for ratio in own) or (matched and math.log(matched.high) < MORE):
        return NO, text
    if matched and matched.low > 1 and all(ratio.low > 1 for ratio in own):
        return YES, text
    return OPEN, text


def _little_changed(paper: Runs | None, dataset: str) -> tuple[str, str]:
    ratios = (
        [turn_ratio(paper, dataset, [(arm, "random_orthonormal")]) for arm in FROM_DATA]
        if paper
        else [None]
    )
    if None in ratios:
        return OPEN, ""
    readings = [
        YES
        if ratio.high < 1 and math.log(ratio.estimate) < LESS
        else NO
        if math.log(max(ratio.low, 1e-9)) > LESS
        else OPEN
        for ratio in ratios
    ]
    text = (
        f"components turn {ratios[0]:.2f} times and k-means {ratios[1]:.2f} times "
        f"as far as random orthonormal filters of the same norm (n = {ratios[0].n})"
    )
    return all_of(readings), text


def trend(arm: Arm, *, with_last: bool = True) -> Interval:
    """Rank correlation of a filter's distance with its index, mean over seeds.

    The last filter is brightness.
    """
    distances = arm.final_distances if with_last else arm.final_distances[:, :-1]
    return correlation_interval(rank_correlations(distances))


def _trend(paper: Runs | None, dataset: str) -> tuple[str, str]:
    if not paper or not paper.has(dataset, "principal_components"):
        return OPEN, ""
    arm = paper.arms[dataset, "principal_components"]
    every, without = trend(arm), trend(arm, with_last=False)
    text = f"rank correlation {every:+.2f}, without the last {without:+.2f} (n = {every.n})"
    if every.low > 0 and without.low > 0:
        return YES, text
    return (NO if without.high < NO_TREND else OPEN), text


def _frozen_gain(frozen: Runs | None, dataset: str) -> tuple[str, str]:
    if not frozen or not frozen.has(dataset, "principal_components", "random_orthonormal"):
        return OPEN, ""
    ours, random = frozen.paired(dataset, "principal_components", "random_orthonormal")
    differences = ours.final - random.final
    gain = mean_interval(differences)
    text = (
        f"never trained, components end {gain:+.2f} pp "
        f"from random orthonormal filters (n = {gain.n})"
    )
    return {1: YES, -1: NO, 0: NO if equivalence_p(differences) < 0.05 else OPEN}[gain.sign], text
