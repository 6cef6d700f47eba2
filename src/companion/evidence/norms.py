"""How the distance that filters turn hangs on their norm at the start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..intervals import Interval, geometric_interval
from .arms import Arm


def over_walk(arm: Arm) -> Interval:
    """Mean distance at the end over that of an isotropic walk of the mean norm, > 0.

    The geometric mean over seeds; of runs with redrawn labels it says how far noise falls short of
    the formula.
    """
    return geometric_interval(arm.final_distances.mean(axis=1) / arm.noise()[-1])


def norm_slope(arms: Sequence[Arm]) -> float | None:
    """Least-squares slope of log median distance over log norm at the start, over all runs.

    None where norms differ by less than exp(0.5) = 1.65, which leaves no slope to speak of.
    """
    if not arms:
        return None
    norms, turned, _ = _by_run(arms)
    return float(np.polyfit(norms, turned, 1)[0]) if np.ptp(norms) > 0.5 else None


def norm_share(arms: Sequence[Arm], *, by_method: bool = False) -> float:
    """Share of the variance of log distance that a parabola in log norm explains, 0 to 1.

    By method the parabola has a level for each method.
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
