"""Claims 1 to 5, 20, 24 and 25: final accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...data.catalogue import PUBLISHED
from ..arms import Of
from ..intervals import Interval, joint_interval, mean_interval
from ..results import Runs
from ..significance import equivalence_p, holm, p_value, seeds_needed
from .paper import paper_difference
from .rules import BASE, NO, OPEN, YES, Effect, Finding, all_of, by_side, reduced

COMPONENTS = Of("principal_components")
#: By claim: (data set, arm, sign of its difference from Glorot that is claimed).
AGAINST_GLOROT = {
    1: [("cifar10", COMPONENTS, 1)],
    2: [("fashion_mnist", COMPONENTS, 1)],
    3: [(dataset, Of("kmeans"), -1) for dataset in PUBLISHED],
    4: [("cifar10", Of("random_patches"), -1)],
    5: [
        (dataset, of, sign)
        for dataset in PUBLISHED
        for of, sign in ((COMPONENTS, 1), (Of("kmeans"), -1))
    ],
}
#: What the paper gives no value for, shown beside a claim.
SHOWN_BESIDE = {4: [("fashion_mnist", Of("random_patches"))]}
#: By claim: pairs whose first arm should end above its second, averaged over the pairs.
PAIRS = {
    20: [(COMPONENTS, Of("random_orthonormal"))],
    24: [(Of("principal_components", layers="all"), COMPONENTS)],
    25: [
        (Of("principal_components", label_share=share), Of(BASE, label_share=share))
        for share in (0.01, 0.05, 0.1)
    ],
}


@dataclass(frozen=True)
class Comparison:
    """Final accuracy of an arm against Glorot's, paired by seed; percentage points.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> first = compare(read_runs("paper-small"))[0]  # in the book's repository
    >>> len(first.differences), round(first.spread, 1), round(first.paper, 2)
    (3, 0.2, 0.09)
    """

    dataset: str
    arm: Of
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
    """Every arm against Glorot on every data set, adjusted together (Holm).

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> first = compare(read_runs("paper-small"))[0]  # in the book's repository
    >>> print(f"{first.arm.label} {first.interval:+.1f}, p = {first.p_holm:.3f}")
    principal components +2.1 [+1.6, +2.6], p = 0.027
    """
    pairs = [
        paper.paired(arm.dataset, arm.of, BASE)
        for dataset in paper.datasets
        for arm in paper.arms
        if arm.dataset == dataset and arm.of != Of(BASE) and paper.has(dataset, arm.of, BASE)
    ]
    if not pairs:
        return []
    adjusted = holm([p_value(arm.final - base.final) for arm, base in pairs])
    return [
        Comparison(
            arm.dataset,
            arm.of,
            arm.final - base.final,
            mean_interval(arm.final - base.final),
            joint_interval(arm.correct, base.correct),
            float(p),
            equivalence_p(arm.final - base.final),
            _correlation(arm.final, base.final),
            paper_difference(arm.dataset, arm.of),
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

    Parameters
    ----------
    comparison : Comparison
    wanted : int
        +1 or -1, the sign claimed.

    Returns
    -------
    str
        "supported", "not supported" or "undecided".

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> first = compare(read_runs("paper-small"))[0]  # in the book's repository
    >>> direction(first, +1), direction(first, -1)
    ('supported', 'not supported')
    """
    if comparison.p_holm < 0.05:
        return YES if comparison.interval.estimate * wanted > 0 else NO
    return NO if comparison.p_equivalent < 0.05 else OPEN


def difference(runs: Runs, dataset: str, one: Of | str, other: Of | str) -> Interval | None:
    """Final accuracy of one arm minus another's, paired by seed, in percentage points.

    None if they have no seed in common made under like conditions.

    Examples
    --------
    >>> nothing = Runs((), (), (), 0, 0)
    >>> difference(nothing, "cifar10", Of("kmeans", frozen=True), "kmeans") is None
    True
    """
    if not runs.has(dataset, one, other):
        return None
    a, b = runs.paired(dataset, one, other)
    return mean_interval(a.final - b.final)


def accuracy_findings(paper: Runs | None) -> list[Finding]:
    """Claims 1 to 5, from the paired differences of final accuracy."""
    table = {(c.dataset, c.arm): c for c in compare(paper)} if paper else {}
    found = []
    for claim, wanted in AGAINST_GLOROT.items():
        present = [(table[d, of], sign) for d, of, sign in wanted if (d, of) in table]
        readings = [direction(comparison, sign) for comparison, sign in present]
        readings += [OPEN] * (len(wanted) - len(present))
        shown = [comparison for comparison, _ in present]
        shown += [table[key] for key in SHOWN_BESIDE.get(claim, ()) if key in table]
        effects = tuple(_effect(comparison) for comparison in shown)
        found.append(
            Finding(
                claim, all_of(readings), reduced(paper), effects, n_seeds=_seeds_for_paper(shown)
            )
        )
    return found


def _effect(comparison: Comparison) -> Effect:
    return Effect(
        "final accuracy",
        comparison.dataset,
        comparison.interval,
        "pp",
        ((comparison.arm, Of(BASE)),),
        paper=comparison.paper,
        equivalent=comparison.p_equivalent < 0.05,
    )


def _seeds_for_paper(comparisons: list[Comparison]) -> int | None:
    """How many seeds would find the paper's differences, by the spread of these."""
    needed = [
        seeds_needed(comparison.paper, comparison.spread)
        for comparison in comparisons
        if comparison.paper and comparison.spread > 0
    ]
    return max(needed, default=None)


def pair_finding(claim: int, runs: Runs | None) -> Finding:
    """Claims 20 (once trained), 24 and 25: on both data sets the pairs' first arms end above."""
    readings, effects = [], []
    for dataset in PUBLISHED:
        pairs = [
            runs.paired(dataset, *pair)
            for pair in PAIRS[claim]
            if runs and runs.has(dataset, *pair)
        ]
        if len(pairs) < len(PAIRS[claim]) or len({tuple(a.seeds) for a, _ in pairs}) > 1:
            readings.append(OPEN)
            continue
        differences = np.mean([a.final - b.final for a, b in pairs], axis=0)
        interval = mean_interval(differences)
        equivalent = equivalence_p(differences) < 0.05
        readings.append(by_side(interval, close=NO if equivalent else OPEN))
        arms = tuple(PAIRS[claim])
        effects.append(
            Effect("final accuracy", dataset, interval, "pp", arms, equivalent=equivalent)
        )
    return Finding(claim, all_of(readings), reduced(runs), tuple(effects))
