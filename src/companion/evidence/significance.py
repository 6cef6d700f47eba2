"""Tests of a few paired differences: p, Holm's adjustment, power."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def p_value(differences: ArrayLike) -> float:
    """Two-sided paired t-test that the mean difference is zero; 1 for a single pair."""
    differences = np.asarray(differences, dtype=float)
    if differences.size < 2:
        return 1.0
    if np.ptp(differences) == 0:  # no spread: the statistic is 0/0 or infinite
        return 1.0 if differences[0] == 0 else 0.0
    return float(stats.ttest_1samp(differences, 0).pvalue)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values adjusted for their number, so that any at all is wrongly below 5 % in 5 % of tables.

    Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    return adjusted.clip(max=1)


def power(difference: float, spread: float, n: int) -> float:
    """Probability that a paired two-sided t-test at 5 % finds a difference.

    `spread` is the standard deviation of the n differences from seed to seed.
    """
    if not spread > 0 or n < 2:
        raise ValueError(f"spread={spread} should be > 0 and n={n} at least 2")
    # statsmodels' TTestPower says nan where the shift is large, and scipy's distribution has no
    # value in the far tail; that tail is below 1e-7 there.
    limit, shift = stats.t.ppf(0.975, n - 1), abs(difference) * math.sqrt(n) / spread
    far = stats.nct.cdf(-limit, n - 1, shift) if shift < 5 else 0.0
    return float(stats.nct.sf(limit, n - 1, shift) + far)


def seeds_needed(difference: float, spread: float, wanted: float = 0.8, most: int = 100_000) -> int:
    """Fewest pairs with which `power` reaches what is wanted; `most` if it takes more."""
    if power(difference, spread, most) < wanted:
        return most
    low, high = 1, most  # power(low) < wanted <= power(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(difference, spread, middle) >= wanted else (middle, high)
    return high
