"""Claim 26: whether trained filters are simple."""

from __future__ import annotations

import numpy as np
import torch

from ...data.catalogue import PUBLISHED
from ...filters.measures import cosine_terms
from ..arms import Arm, Of
from ..intervals import mean_interval
from ..results import Runs
from .change import FROM_DATA
from .rules import BASE, OPEN, Effect, Finding, all_of, by_side, reduced


def mean_terms(arm: Arm, index: int) -> np.ndarray:
    """(S,), mean `cosine_terms` of the first layer at the start (index 0) or the end (-1).

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> arm = read_runs("paper-small").arm("cifar10", "glorot_uniform")
    >>> mean_terms(arm, -1).round(1).tolist()
    [12.8, 13.9, 14.1]
    """
    return np.array(
        [cosine_terms(torch.from_numpy(r.filters[index])).mean().item() for r in arm.results]
    )


def simplicity_finding(paper: Runs | None) -> Finding:
    """Claim 26, as far as simplicity measures it.

    Trained filters from data hold fewer waves than trained Glorot filters.

    The rule was changed once, before any full run: it first compared smoothness, which cannot tell
    one orthonormal basis from another.
    """
    readings, effects = [], []
    for dataset in PUBLISHED:
        for of in FROM_DATA:
            if not paper or not paper.has(dataset, of, BASE):
                readings.append(OPEN)
                continue
            ours, base = paper.paired(dataset, of, BASE)
            gap = mean_interval(mean_terms(ours, -1) - mean_terms(base, -1))
            readings.append(by_side(gap, claimed=-1))
            effects.append(Effect("waves", dataset, gap, "waves", ((of, Of(BASE)),)))
    return Finding(26, all_of(readings), reduced(paper), tuple(effects))
