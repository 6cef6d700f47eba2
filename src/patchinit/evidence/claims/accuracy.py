"""Claims 1 to 5, 20, 24 and 25: final accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...data.catalogue import DATASETS, PUBLISHED
from ...filters.methods import METHODS
from ..intervals import MARGIN, Interval, joint_interval, mean_interval
from ..results import Runs
from ..significance import equivalence_p, holm, p_value, seeds_needed
from .paper import paper_difference
from .rules import BASE, NO, OPEN, YES, Finding, all_of, conclude


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
            paper_difference(arm.dataset, arm.name),
        )
        for (arm, base), p in zip(pairs, adjusted, strict=True)
    ]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def direction(comparison: Comparison, wanted: int) -> str:
    """Whether a difference has the sign claimed.

    Refuted by the other sign, or by equivalence within +-MARGIN.
    """
    if comparison.p_holm < 0.05:
        return YES if comparison.interval.estimate * wanted > 0 else NO
    return NO if comparison.p_equivalent < 0.05 else OPEN


def accuracy_findings(paper: Runs | None) -> list[Finding]:
    """Claims 1 to 5, from the paired differences of final accuracy."""
    table = {(c.dataset, c.arm): c for c in compare(paper)} if paper else {}
    parts = {  # claim: (data set, arm, sign that is claimed)
        1: [("cifar10", "principal_components", 1)],
        2: [("fashion_mnist", "principal_components", 1)],
        3: [("cifar10", "kmeans", -1), ("fashion_mnist", "kmeans", -1)],
        4: [("cifar10", "random_patches", -1)],
        5: [(dataset, arm, sign) for dataset in PUBLISHED for arm, sign in
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
            conclude(claim, all_of(readings), evidence, (paper,), "paper", _more_seeds(shown))
        )
    return found


def _difference_text(comparison: Comparison) -> str:
    paper = (
        "not reported"
        if comparison.paper is None
        else f"{comparison.paper:+.2f}".replace("-", "\u2212")
    )
    text = (
        f"{METHODS[comparison.arm].label} minus Glorot on {DATASETS[comparison.dataset].label}: "
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


def _paired_finding(
    claim: int, runs: Runs | None, study: str, pairs: list[tuple[str, str]], what: str
) -> Finding:
    """A claim that the first arm of each pair ends above the second.

    Averaged over the pairs, on both data sets.
    """
    readings, evidence = [], []
    for dataset in PUBLISHED:
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
        evidence.append(
            f"{what} on {DATASETS[dataset].label}: {interval:+.2f} pp, n = {interval.n}"
        )
    return conclude(claim, all_of(readings), evidence, (runs,), study)


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
