"""What the first layer hands on, and how steep the loss is there: at the start and on the way."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .arms import Arm


def effective_outputs(filters: Tensor, covariance: Tensor) -> float:
    """How many uncorrelated outputs of equal strength the responses are worth, 1 to F.

    Each output has unit variance, as behind batch normalisation, so their covariance is the
    correlation matrix of the responses to patches; the number is exp of the entropy of its
    eigenvalues' shares. From filters (F, C, kh, kw) and the covariance (d, d) of raw patches.
    ValueError if a filter's response does not vary.

    References
    ----------
    Roy and Vetterli (2007), "The effective rank: a measure of effective dimensionality".
    """
    flat = filters.flatten(1).double()
    joint = flat @ covariance.double() @ flat.T
    scale = joint.diagonal().clamp(min=0).sqrt()
    if not (scale > 0).all():
        raise ValueError(
            f"filters={len(flat)} should all respond to these patches; "
            f"{int((scale <= 0).sum())} have responses without variance, leave them out"
        )
    shares = torch.linalg.eigvalsh(joint / scale / scale[:, None]).clamp(min=0) / len(flat)
    return float(torch.exp(torch.special.entr(shares).sum()))


def outputs_at_the_ends(arm: Arm, covariance: Tensor) -> np.ndarray:
    """(S, 2), `effective_outputs` of each seed's first filters at the start and at the end."""
    return np.array(
        [[effective_outputs(torch.from_numpy(f), covariance) for f in ends] for ends in arm.ends]
    )


def gradient_course(arm: Arm) -> np.ndarray | None:
    """(S, K), norm of the gradient on the sphere at each of K kept epochs, the start first.

    The geometric mean over filters. None where a record has no gradients.
    """
    if any(not result.gradient_norms.size for result in arm.results):
        return None
    return np.stack([np.exp(np.log(r.gradient_norms).mean(axis=1)) for r in arm.results])
