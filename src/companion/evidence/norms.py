"""How the distance that filters turn hangs on their norm at the start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..intervals import Interval, geometric_interval
from .arms import Arm


def over_noise(arm: Arm) -> Interval:
    """Mean distance at the end over what noise alone would do to the arm's mean norm.

    The geometric mean over seeds; 1 is noise alone.
    """
    return geometric_interval(arm.final_distances.mean(axis=1) / arm.noise()[-1])


def norm_slope(arms: Sequence[Arm]) -> float | None:
    """Slope of the logarithm of the median distance over that of the norm at the start.

    By least squares over all runs of the arms; None where their norms differ by less than a
    factor of exp(0.5) = 1.65, which leaves no slope to speak of.
    """
    if not arms:
        return None
    norms, turned, _ = _by_run(arms)
    return float(np.polyfit(norms, turned, 1)[0]) if np.ptp(norms) > 0.5 else None


def norm_share(arms: Sequence[Arm], *, by_method: bool = False) -> float:
    """Share of the variance of the logarithm of the distance that the norm explains, 0 to 1.

    By a parabola in the logarithm of the norm.

    Parameters
    ----------
    arms : sequence of Arm
    by_method : bool
        Explained by the norm and the method together: the parabola has a level for each method.
    """
    norms, turned, methods = _by_run(arms)
    levels = (
        [methods == name for name in np.unique(methods)] if by_method else [np.ones_like(norms)]
    )
    design = np.stack([norms, norms**2, *levels], axis=1).astype(float)
    rest = turned - design @ np.linalg.lstsq(design, turned, rcond=None)[0]
    return float(1 - rest.var() / turned.var())


def _by_run(arms: Sequence[Arm]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log of the mean norm at the start, log of the median distance and method of every run."""
    return (
        np.concatenate([np.log(arm.norms[:, 0].mean(axis=1)) for arm in arms]),
        np.concatenate([np.log(arm.turned) for arm in arms]),
        np.concatenate([[arm.settings.method] * len(arm.results) for arm in arms]),
    )
