"""The verdict on each claim that rests on training runs.

The rules were fixed before the runs were evaluated. Two are exceptions, set after the reduced
runs had been seen and before any full one: that of claim 26, and the trained part of claim 20.

Each rule gives one of three readings of whatever runs there are. From reduced runs the verdict is
"undecided" all the same: they are no test of a claim about full runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from .measures import cosine_terms
from .plots import METHOD_LABELS
from .results import DATASET_LABELS, Arm, Runs
from .stats import (
    MARGIN,
    Interval,
    correlation_interval,
    equivalence_p,
    first_epoch,
    geometric_interval,
    holm,
    joint_interval,
    log_rank_p,
    mean_interval,
    mean_over_epochs,
    p_value,
    rank_correlations,
    seeds_needed,
)

YES, NO, OPEN = "supported", "not supported", "undecided"
BASE = "glorot_uniform"
#: Final accuracy in percent, mean of three runs: the paper's Table 1.
TABLE_1 = {
    ("cifar10", "principal_components"): 89.52,
    ("cifar10", "glorot_uniform"): 89.43,
    ("cifar10", "kmeans"): 89.09,
    ("cifar10", "random_patches"): 88.58,
    ("fashion_mnist", "principal_components"): 92.69,
    ("fashion_mnist", "glorot_uniform"): 91.91,
    ("fashion_mnist", "kmeans"): 91.61,
}
SHARES = (0.8, 0.9, 0.95)  #: thresholds of speed, as shares of Glorot's mean final accuracy
HORIZON = 50  #: epochs that the area under the curve is taken over, or all if they are fewer
MORE = math.log(1.25)  #: at equal norms, a quarter further is the least that counts as "most"
LESS = math.log(0.8)  #: and a fifth less the least that counts as "little"
NO_TREND = 0.2  #: rank correlations below it are no trend


@dataclass(frozen=True)
class Finding:
    """What the runs say of one claim."""

    claim: int
    verdict: str  #: "supported", "not supported" or "undecided"
    reading: str  #: what the rule gives on these runs, reduced or not
    evidence: str  #: the effect with its interval and n
    needed: str  #: what would decide it


@dataclass(frozen=True)
class Comparison:
    """Final accuracy of an arm against Glorot's, paired by seed; percentage points."""

    dataset: str
    arm: str
    differences: np.ndarray  #: (S,)
    interval: Interval  #: over seeds
    joint: Interval  #: over seeds and test images together
    p_holm: float  #: adjusted for all comparisons of the table
    p_equivalent: float  #: that the difference lies within +-MARGIN
    correlation: float  #: of the two arms over seeds, which is what the pairing buys
    paper: float | None  #: the paper's difference

    @property
    def spread(self) -> float:
        """Standard deviation of the differences; nan for one seed."""
        return float(self.differences.std(ddof=1)) if len(self.differences) > 1 else math.nan


def compare(paper: Runs) -> list[Comparison]:
    """Every arm against Glorot on every data set, adjusted together (Holm)."""
    pairs = [
        paper.paired(dataset, arm, BASE)
        for dataset in paper.datasets
        for arm in dict.fromkeys(name for _, name in paper.arms)
        if arm != BASE and paper.has(dataset, arm, BASE)
    ]
    if not pairs:
        return []
    adjusted = holm([p_value(arm.final - base.final) for arm, base in pairs])
    return [
        Comparison(
            arm.dataset,
            arm.name,
            arm.final - base.final,
            mean_interval(arm.final - base.final),
            joint_interval(arm.correct, base.correct),
            float(p),
            equivalence_p(arm.final - base.final),
            _correlation(arm.final, base.final),
            _paper_difference(arm.dataset, arm.name),
        )
        for (arm, base), p in zip(pairs, adjusted, strict=True)
    ]


def _paper_difference(dataset: str, arm: str) -> float | None:
    value = TABLE_1.get((dataset, arm))
    return None if value is None else value - TABLE_1[dataset, BASE]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def all_of(readings: list[str]) -> str:
    """Supported if every part is, not supported if any part is refuted, undecided otherwise.

    Undecided without parts as well.
    """
    if NO in readings:
        return NO
    return YES if readings and all(reading == YES for reading in readings) else OPEN


def direction(comparison: Comparison, wanted: int) -> str:
    """Whether a difference has the sign claimed.

    Refuted by the other sign, or by equivalence within +-MARGIN.
    """
    if comparison.p_holm < 0.05:
        return YES if comparison.interval.estimate * wanted > 0 else NO
    return NO if comparison.p_equivalent < 0.05 else OPEN


def findings(
    paper: Runs | None,
    norms: Runs | None = None,
    frozen: Runs | None = None,
    layers: Runs | None = None,
    labels: Runs | None = None,
) -> dict[int, Finding]:
    """The findings on claims 1 to 11, 20 and 24 to 26, by number.

    Parameters
    ----------
    paper, norms, frozen, layers, labels : Runs or None
        As `patchinit.results.best_runs` gives them; None: nothing was collected.
    """
    return {
        finding.claim: finding
        for finding in (
            *accuracy_findings(paper),
            speed_finding(paper),
            *change_findings(paper, norms, frozen),
            basis_finding(paper),
            layer_finding(layers),
            label_finding(labels),
            simplicity_finding(paper),
        )
    }


def _conclude(
    claim: int,
    reading: str,
    evidence: list[str],
    runs: tuple[Runs | None, ...],
    study: str,
    more: str | None = None,
) -> Finding:
    """The finding, once it is known whether the runs that it rests on are full ones."""
    reduced = any(run is not None and run.reduced for run in runs)
    verdict = OPEN if reduced else reading
    if verdict != OPEN:
        needed = "decided"
    elif reduced or not evidence:
        needed = f"full runs (patchinit run {study})"
    else:
        needed = more or f"more seeds (patchinit run {study} --seeds 10)"
    return Finding(claim, verdict, reading, "; ".join(evidence) or "no runs yet", needed)


# --- Claims 1 to 5: final accuracy ------------------------------------------------------------


def accuracy_findings(paper: Runs | None) -> list[Finding]:
    """Claims 1 to 5, from the paired differences of final accuracy."""
    table = {(c.dataset, c.arm): c for c in compare(paper)} if paper else {}
    parts = {  # claim: (data set, arm, sign that is claimed)
        1: [("cifar10", "principal_components", 1)],
        2: [("fashion_mnist", "principal_components", 1)],
        3: [("cifar10", "kmeans", -1), ("fashion_mnist", "kmeans", -1)],
        4: [("cifar10", "random_patches", -1)],
        5: [(dataset, arm, sign) for dataset in DATASET_LABELS for arm, sign in
            (("principal_components", 1), ("kmeans", -1))],
    }  # fmt: skip
    found = []
    for claim, wanted in parts.items():
        present = [
            (table[dataset, arm], sign) for dataset, arm, sign in wanted if (dataset, arm) in table
        ]
        readings = [direction(comparison, sign) for comparison, sign in present]
        readings += [OPEN] * (len(wanted) - len(present))
        shown = [comparison for comparison, _ in present]
        if claim == 4 and ("fashion_mnist", "random_patches") in table:
            shown.append(table["fashion_mnist", "random_patches"])
        evidence = [_difference_text(comparison) for comparison in shown]
        found.append(
            _conclude(claim, all_of(readings), evidence, (paper,), "paper", _more_seeds(shown))
        )
    return found


def _difference_text(comparison: Comparison) -> str:
    paper = (
        "not reported"
        if comparison.paper is None
        else f"{comparison.paper:+.2f}".replace("-", "\u2212")
    )
    text = (
        f"{METHOD_LABELS[comparison.arm]} minus Glorot on {DATASET_LABELS[comparison.dataset]}: "
        f"{comparison.interval:+.2f} pp, n = {comparison.interval.n} (paper {paper})"
    )
    return text + (f", within ±{MARGIN} pp" if comparison.p_equivalent < 0.05 else "")


def _more_seeds(comparisons: list[Comparison]) -> str | None:
    """How many seeds would find the paper's differences, by the spread of these."""
    needed = [
        seeds_needed(comparison.paper, comparison.spread)
        for comparison in comparisons
        if comparison.paper and comparison.spread > 0
    ]
    return f"about {max(needed):,} seeds an arm" if needed else None


# --- Claim 6: speed ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Speed:
    """How fast an arm learns against Glorot, on one data set."""

    dataset: str
    arm: str
    horizon: int  #: epochs of the area
    area: Interval  #: difference of the mean accuracy up to there, pp
    area_p: float
    epochs: dict[
        float, Interval
    ]  #: difference of the first epoch past each share of Glorot's final accuracy
    never: dict[float, int]  #: runs of either arm that never got there
    log_rank: dict[float, float]  #: p


def speed(paper: Runs, dataset: str, arm: str) -> Speed:
    """Area under the curve and epochs to thresholds, paired by seed."""
    ours, base = paper.paired(dataset, arm, BASE)
    horizon = min(HORIZON, base.accuracy.shape[1])
    areas = mean_over_epochs(ours.accuracy, horizon) - mean_over_epochs(base.accuracy, horizon)
    epochs, never, log_rank = {}, {}, {}
    for share in SHARES:
        threshold = share * base.final.mean()
        (first, reached), (base_first, base_reached) = (
            first_epoch(a.accuracy, threshold) for a in (ours, base)
        )
        epochs[share] = mean_interval(first - base_first)
        never[share] = int((~reached).sum() + (~base_reached).sum())
        log_rank[share] = log_rank_p(first, reached, base_first, base_reached)
    return Speed(
        dataset, arm, horizon, mean_interval(areas), p_value(areas), epochs, never, log_rank
    )


def speed_finding(paper: Runs | None) -> Finding:
    """Claim 6: the area decides, and the epochs must not point the other way.

    These are the epochs to nine tenths of Glorot's accuracy.
    """
    arm = "principal_components"
    present = [dataset for dataset in DATASET_LABELS if paper and paper.has(dataset, arm, BASE)]
    speeds = [speed(paper, dataset, arm) for dataset in present]
    adjusted = holm([s.area_p for s in speeds]) if speeds else []
    readings, evidence = [OPEN] * (len(DATASET_LABELS) - len(present)), []
    for s, p in zip(speeds, adjusted, strict=True):
        if p < 0.05:
            readings.append(
                NO if s.area.estimate < 0 else YES if s.epochs[0.9].estimate <= 0 else OPEN
            )
        else:
            readings.append(OPEN)
        evidence.append(
            f"components minus Glorot on {DATASET_LABELS[s.dataset]}: mean accuracy "
            f"of the first {s.horizon} epochs {s.area:+.2f} pp, "
            f"epochs to nine tenths of Glorot's accuracy {s.epochs[0.9]:+.1f}, n = {s.area.n}"
        )
    return _conclude(6, all_of(readings), evidence, (paper,), "paper")


# --- Claims 7 to 11: how far filters turn -----------------------------------------------------


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
    for dataset, label in DATASET_LABELS.items():
        for claim, (reading, text) in {
            7: _most_changed(paper, norms, dataset),
            8: _little_changed(paper, dataset),
            10: _trend(paper, dataset),
        }.items():
            by_claim[claim].append(reading)
            if text:
                evidence[claim].append(f"{label}: {text}")
        # Little change says something of a minimum only where it is not owed to the norm.
        gain, text = _frozen_gain(frozen, dataset)
        parts = [by_claim[7][-1], by_claim[8][-1], gain]
        by_claim[9].append(all_of(parts))
        if text:
            evidence[9].append(f"{label}: {text}")
    evidence[9] = evidence[9] or (
        [] if not evidence[7] else ["rests on claims 7 and 8; no frozen runs yet"]
    )
    used = {7: (paper, norms), 8: (paper,), 9: (paper, norms, frozen), 10: (paper,)}
    study = {7: "norms", 8: "paper", 9: "norms, and frozen", 10: "paper"}
    found = [
        _conclude(claim, all_of(readings), evidence[claim], used[claim], study[claim])
        for claim, readings in by_claim.items()
    ]
    both = all_of([reading for readings in by_claim.values() for reading in readings])
    summary = [
        f"claim {claim}: {' and '.join(dict.fromkeys(readings))}"
        for claim, readings in by_claim.items()
        if paper
    ]
    return [*found, _conclude(11, both, summary, (paper, norms, frozen), "paper, norms and frozen")]


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


# --- Claims 20 and 24 to 26 -------------------------------------------------------------------


def _paired_finding(
    claim: int, runs: Runs | None, study: str, pairs: list[tuple[str, str]], what: str
) -> Finding:
    """A claim that the first arm of each pair ends above the second.

    Averaged over the pairs, on both data sets.
    """
    readings, evidence = [], []
    for dataset, label in DATASET_LABELS.items():
        present = [
            runs.paired(dataset, *pair) for pair in pairs if runs and runs.has(dataset, *pair)
        ]
        if len(present) < len(pairs) or len({tuple(a.seeds) for a, _ in present}) > 1:
            readings.append(OPEN)
            continue
        differences = np.mean([a.final - b.final for a, b in present], axis=0)
        interval = mean_interval(differences)
        close = NO if equivalence_p(differences) < 0.05 else OPEN
        readings.append({1: YES, -1: NO, 0: close}[interval.sign])
        evidence.append(f"{what} on {label}: {interval:+.2f} pp, n = {interval.n}")
    return _conclude(claim, all_of(readings), evidence, (runs,), study)


def basis_finding(paper: Runs | None) -> Finding:
    """Claim 20, once trained: components against random orthonormal filters.

    These differ from them in the axes alone.
    """
    pairs = [("principal_components", "random_orthonormal")]
    return _paired_finding(20, paper, "paper", pairs, "components minus random orthonormal filters")


def layer_finding(layers: Runs | None) -> Finding:
    """Claim 24: components in every layer against components in the first alone."""
    pairs = [("principal_components, every layer", "principal_components, first layer")]
    return _paired_finding(
        24, layers, "layers", pairs, "components in every layer minus in the first alone"
    )


def label_finding(labels: Runs | None) -> Finding:
    """Claim 25: components against Glorot with a tenth of the labels and fewer."""
    pairs = [
        (f"principal_components, {share} of the labels", f"glorot_uniform, {share} of the labels")
        for share in ("1%", "5%", "10%")
    ]
    return _paired_finding(
        25, labels, "labels", pairs, "components minus Glorot, mean of 1, 5 and 10 % of the labels"
    )


def mean_terms(arm: Arm, index: int) -> np.ndarray:
    """(S,), mean `cosine_terms` of the first layer at the start (index 0) or the end (-1)."""
    return np.array(
        [cosine_terms(torch.from_numpy(r.filters[index])).mean().item() for r in arm.results]
    )


def simplicity_finding(paper: Runs | None) -> Finding:
    """Claim 26, as far as simplicity measures it.

    Trained filters from data hold fewer waves than trained Glorot filters.

    The rule was changed once, before any full run: it first compared smoothness, which cannot tell
    one orthonormal basis from another.
    """
    readings, evidence = [], []
    for dataset, label in DATASET_LABELS.items():
        texts = []
        for name in FROM_DATA:
            if not paper or not paper.has(dataset, name, BASE):
                readings.append(OPEN)
                continue
            ours, base = paper.paired(dataset, name, BASE)
            gap = mean_interval(mean_terms(ours, -1) - mean_terms(base, -1))
            readings.append({-1: YES, 1: NO, 0: OPEN}[gap.sign])
            texts.append(f"{METHOD_LABELS[name]} {gap:+.1f}")
        if texts:
            evidence.append(
                f"waves in a trained filter minus Glorot's on {label}: "
                f"{', '.join(texts)}, n = {gap.n}"
            )
    return _conclude(26, all_of(readings), evidence, (paper,), "paper")
