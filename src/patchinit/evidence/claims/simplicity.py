"""Claim 26: whether trained filters are simple."""

from __future__ import annotations

import numpy as np
import torch

from ...data.catalogue import DATASETS, PUBLISHED
from ...filters.measures import cosine_terms
from ...filters.methods import METHODS
from ..intervals import mean_interval
from ..results import Arm, Runs
from .change import FROM_DATA
from .rules import BASE, NO, OPEN, YES, Finding, all_of, conclude


def mean_terms(arm: Arm, index: int) -> np.ndarray:
    """(S,), mean `cosine_terms` of the first layer at the start (index 0) or the end (-1)."""
    return np.array(
        [cosine_terms(torch.from_numpy(r.filters[index])).mean().item() for r in arm.results]
    )


def simplicity_finding(paper: Runs | None) -> Finding:
    """Claim 26, as far as simplicity measures it.

    Trained filters from data hold fewer waves than trained Glorot filters.

    The rule was changed once, before any full run: it first compared smoothness, which cannot tell
    one orthonormal basis from another.
    """
    readings, evidence = [], []
    for dataset in PUBLISHED:
        texts = []
        for name in FROM_DATA:
            if not paper or not paper.has(dataset, name, BASE):
                readings.append(OPEN)
                continue
            ours, base = paper.paired(dataset, name, BASE)
            gap = mean_interval(mean_terms(ours, -1) - mean_terms(base, -1))
            readings.append({-1: YES, 1: NO, 0: OPEN}[gap.sign])
            texts.append(f"{METHODS[name].label} {gap:+.1f}")
        if texts:
            evidence.append(
                f"waves in a trained filter minus Glorot's on {DATASETS[dataset].label}: "
                f"{', '.join(texts)}, n = {gap.n}"
            )
    return conclude(26, all_of(readings), evidence, (paper,), "paper")
