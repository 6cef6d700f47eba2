"""The power of a paired t-test of a few differences."""

from __future__ import annotations

import math

from scipy import stats


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
