"""Whether bfloat16 changes what is measured, from the runs of the study `precision`.

The check is the one of book/protocol.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .arms import Arm
from .intervals import Interval, geometric_interval, mean_interval
from .significance import holm, p_value

ACCURACY_BIAS = 0.1  # pp, that a bias of the methods' difference must exceed to matter
RATIO_BIAS = (0.90, 1.11)  # outside of which a bias of a distance matters


@dataclass(frozen=True)
class Check:
    """One comparison, bf16 against fp32.

    Examples
    --------
    >>> check = Check("mean distance", "ratio", Interval(0.97, 0.88, 1.07, 12), 1.0, harmful=False)
    >>> check.interval.side(of=1)  # a ratio of 1 is no bias
    0
    """

    what: str
    unit: str  #: "pp", a difference of accuracies; or "ratio"
    interval: Interval  #: 95 %
    p: float | None  #: adjusted by Holm over the five tests, or None where nothing is tested
    harmful: bool  #: told from no bias, and large enough that it could carry a verdict


def compare_precisions(components: tuple[Arm, Arm], glorot: tuple[Arm, Arm]) -> list[Check]:
    """The registered comparisons, each pair of arms as (bf16, fp32) with the same seeds.

    Parameters
    ----------
    components, glorot : tuple of two Arm
        At least two seeds of each.

    Returns
    -------
    list of Check
        Accuracy of each method, the difference of the two biases, the mean distance of each,
        that of the five weakest components before the last, and that of the last.
        Accuracies are bf16 minus fp32 in percentage points, distances bf16 over fp32.

    Examples
    --------
    >>> from companion.evidence.results import read_runs
    >>> runs = read_runs("precision")  # in the book's repository
    >>> fp32, bf16, glorot_fp32, glorot_bf16 = runs.arms
    >>> checks = compare_precisions((bf16, fp32), (glorot_bf16, glorot_fp32))
    >>> [check.what for check in checks if check.harmful]
    []
    """
    biases = [two[0].final - two[1].final for two in (components, glorot)]
    distances = {
        "mean distance, components": _log_ratio(components, slice(None)),
        "mean distance, Glorot": _log_ratio(glorot, slice(None)),
        "mean distance, the weakest five before the last": _log_ratio(components, slice(-6, -1)),
        "distance of the last filter": _log_ratio(components, slice(-1, None)),
    }
    welch = stats.ttest_ind(*biases, equal_var=False)
    bounds = welch.confidence_interval(0.95)
    difference = Interval(
        float(biases[0].mean() - biases[1].mean()), bounds.low, bounds.high, min(map(len, biases))
    )
    adjusted = holm([welch.pvalue, *map(p_value, distances.values())])

    checks = [
        Check(f"accuracy, {name}", "pp", mean_interval(bias), None, False)
        for name, bias in zip(("components", "Glorot"), biases, strict=True)
    ]
    large = abs(difference.estimate) > ACCURACY_BIAS
    checks.append(
        Check(
            "accuracy, components minus Glorot",
            "pp",
            difference,
            adjusted[0],
            bool(adjusted[0] < 0.05 and large),
        )
    )
    for (what, logs), p in zip(distances.items(), adjusted[1:], strict=True):
        interval = geometric_interval(np.exp(logs))
        large = not RATIO_BIAS[0] <= interval.estimate <= RATIO_BIAS[1]
        checks.append(Check(what, "ratio", interval, p, bool(p < 0.05 and large)))
    return checks


def _log_ratio(two: tuple[Arm, Arm], filters: slice) -> np.ndarray:
    """(S,), logarithm of the ratio of the mean distances over some filters."""
    means = [arm.final_distances[:, filters].mean(axis=1) for arm in two]
    return np.log(means[0]) - np.log(means[1])
