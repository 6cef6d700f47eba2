"""Estimates with confidence intervals, from a few paired runs.

An interval at any level comes from one `Estimate`, so a rule that looks at several levels (looks,
Holm's steps) looks at the same thing. Accuracies are in percent and their differences in
percentage points (pp); S seeds, F filters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Examples
    --------
    >>> interval = Interval(-0.126, -0.5, 0.25, 3)
    >>> print(f"{interval:+.2f}, side {interval.side()} of zero, {interval.side(of=1)} of one")
    −0.13 [−0.50, +0.25], side 0 of zero, -1 of one
    """

    estimate: float
    low: float
    high: float
    n: int  #: pairs, or runs where nothing is paired
    ratio: bool = False  #: its scale is that of factors, all > 0

    @property
    def half(self) -> float:
        """Half the width, which stands behind the "±" of a symmetric interval."""
        return (self.high - self.low) / 2

    @property
    def shown(self) -> bool:
        """Whether its bounds are worth printing.

        Not for one or two pairs, no spread, or a ratio that spans more than a factor of ten.
        """
        wide = self.ratio and self.high > 10 * self.low
        return self.n > 2 and math.isfinite(self.high) and self.low < self.high and not wide

    def __format__(self, spec: str) -> str:
        """``f"{interval:+.2f}"`` is "+0.12 [-0.30, +0.54]", with proper minus signs."""
        low, high = (f"{bound:{spec}}" for bound in (self.low, self.high))
        bounds = f"{low}, {high}" if self.shown else "too few runs"
        return f"{self.estimate:{spec}} [{bounds}]".replace("-", "\u2212")

    def exceeds(self, bound: float) -> bool | None:
        """Whether all of the interval lies above a bound; None where it has no bounds of its own.

        >>> Interval(0.97, 0.96, 0.98, 6).exceeds(0.95), mean_interval([0.97]).exceeds(0.95)
        (True, None)
        """
        return self.low > bound if math.isfinite(self.half) else None

    def side(self, of: float = 0.0) -> int:
        """+1 or -1 if the interval lies wholly above or below a value, 0 if it contains it."""
        return int(self.low > of) - int(self.high < of)


def _itself(value: float) -> float:
    return value


@dataclass(frozen=True)
class Estimate:
    """A number whose error follows Student's t, on a scale that may differ from its unit's."""

    value: float  #: on the scale where the error is symmetric
    error: float  #: its standard error, 0 or more
    freedom: float  #: degrees of freedom of the error
    n: int  #: pairs, or runs where nothing is paired
    back: Callable[[float], float] = _itself  #: from that scale to the unit, such as exp or tanh

    def interval(self, level: float = 0.95) -> Interval:
        """Confidence interval in the unit; without bounds (infinite) for fewer than two pairs."""
        half = math.inf
        if self.n > 1:
            half = float(stats.t.ppf(0.5 + level / 2, self.freedom)) * self.error
        middle, low, high = (self.back(self.value + shift) for shift in (0, -half, half))
        return Interval(middle, low, high, self.n, ratio=self.back is math.exp)


def mean_estimate(values: ArrayLike, back: Callable[[float], float] = _itself) -> Estimate:
    """Mean of n >= 1 independent values with its plain error, infinite for n = 1.

    The values are on the scale where errors are symmetric, and `back` leads from it to the unit:
    logarithms and `math.exp` for ratios, Fisher's atanh and `math.tanh` for correlations.
    """
    values = np.asarray(values, dtype=float)
    n = values.size
    if not n:
        raise ValueError("values are empty; at least one run is needed")
    error = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return Estimate(float(values.mean()), error, n - 1, n, back)


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Mean of n independent values with Student's t interval, as `mean_estimate` gives it."""
    return mean_estimate(values).interval(level)


def geometric_interval(values: ArrayLike) -> Interval:
    """Geometric mean of positive values with the t interval of the logarithms."""
    return mean_estimate(np.log(values), math.exp).interval()


def rank_correlations(values: ArrayLike, order: ArrayLike | None = None) -> np.ndarray:
    """(S,), Spearman's correlation of each seed's values, (S, F), with an order or their index."""
    values = np.asarray(values, dtype=float)
    order = np.broadcast_to(np.arange(values.shape[1]) if order is None else order, values.shape)
    return np.array([stats.spearmanr(a, b).statistic for a, b in zip(values, order, strict=True)])


def fisher(correlations: ArrayLike) -> np.ndarray:
    """Fisher's transform, atanh, of correlations cut at +-0.999: perfect ones would be infinite."""
    return np.arctanh(np.clip(correlations, -0.999, 0.999))
