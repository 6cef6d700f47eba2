"""Curves over epochs, and times that may not be reached."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def smooth(curves: ArrayLike, window: int = 3) -> np.ndarray:
    """Mean over an epoch and the `window` - 1 before it; (S, E) to (S, E).

    At the start over as many as there are.

    Examples
    --------
    >>> smooth([[3, 6, 9, 0]]).tolist()
    [[3.0, 4.5, 6.0, 5.0]]
    """
    curves = np.asarray(curves, dtype=float)
    sums = np.cumsum(curves, axis=1)
    sums[:, window:] -= sums[:, :-window].copy()
    return sums / np.minimum(np.arange(1, curves.shape[1] + 1), window)


def first_epoch(
    curves: ArrayLike, threshold: float, window: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """First epoch whose smoothed value is at or above a threshold.

    Parameters
    ----------
    curves : array of shape (S, E)
        For example test accuracy after each epoch.
    threshold : float
    window : int
        Epochs that `smooth` averages over.

    Returns
    -------
    epochs : int array of shape (S,)
        From 1; E for a run that never gets there, which is then censored at E.
    reached : bool array of shape (S,)

    Examples
    --------
    >>> epochs, reached = first_epoch([[10, 50, 90, 90], [10, 10, 10, 10]], 60, window=2)
    >>> epochs.tolist(), reached.tolist()
    ([3, 4], [True, False])
    """
    above = smooth(curves, window) >= threshold
    reached = np.asarray(above.any(axis=1))
    return np.where(reached, above.argmax(axis=1) + 1, above.shape[1]), reached


def mean_over_epochs(curves: ArrayLike, n_epochs: int) -> np.ndarray:
    """Area under the curve to an epoch, divided by the epochs; (S, E) to (S,).

    That is the mean accuracy on the way there.

    Examples
    --------
    >>> mean_over_epochs([[1, 2, 6], [0, 0, 3]], 2).tolist()
    [1.5, 0.0]
    """
    curves = np.asarray(curves, dtype=float)
    if not 1 <= n_epochs <= curves.shape[1]:
        raise ValueError(
            f"n_epochs={n_epochs} should be from 1 to the {curves.shape[1]} epochs of the curves"
        )
    return curves[:, :n_epochs].mean(axis=1)
