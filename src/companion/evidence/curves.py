"""Curves over epochs, and times that may not be reached."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def smooth(curves: ArrayLike, window: int = 3) -> np.ndarray:
    """Mean over an epoch and the `window` - 1 before it, fewer at the start; (S, E) to (S, E)."""
    curves = np.asarray(curves, dtype=float)
    sums = np.cumsum(curves, axis=1)
    sums[:, window:] -= sums[:, :-window].copy()
    return sums / np.minimum(np.arange(1, curves.shape[1] + 1), window)


def first_epoch(
    curves: ArrayLike, threshold: float, window: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """First epoch whose smoothed value is at or above a threshold, from 1; and if there is one.

    Both (S,), from curves (S, E); a run that never gets there is censored at E.
    """
    above = smooth(curves, window) >= threshold
    reached = np.asarray(above.any(axis=1))
    return np.where(reached, above.argmax(axis=1) + 1, above.shape[1]), reached


def mean_over_epochs(curves: ArrayLike, n_epochs: int) -> np.ndarray:
    """Area under the curve to an epoch, divided by the epochs; (S, E) to (S,)."""
    curves = np.asarray(curves, dtype=float)
    if not 1 <= n_epochs <= curves.shape[1]:
        raise ValueError(
            f"n_epochs={n_epochs} should be from 1 to the {curves.shape[1]} epochs of the curves"
        )
    return curves[:, :n_epochs].mean(axis=1)
