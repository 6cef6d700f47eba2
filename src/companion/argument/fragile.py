"""Why a weak filter is fragile: one small turn of its weights can be a large change of function.

Behind batch normalisation a response has standard deviation 1 whatever the filter. A turn mixes in
other directions; where these vary more than the filter's own, they soon outweigh it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize


def turned(filters: Tensor, degrees: float, *, generator: torch.Generator | None = None) -> Tensor:
    """Filters (F, d) of length 1, each turned by an angle in a random direction; float64.

    >>> new = turned(torch.eye(3), 60)
    >>> [round(value, 6) for value in new.diagonal().tolist()]
    [0.5, 0.5, 0.5]
    """
    unit = normalize(filters.double(), dim=1)
    across = torch.randn(unit.shape, generator=generator, dtype=torch.float64)
    across -= (across * unit).sum(1, keepdim=True) * unit
    angle = math.radians(degrees)
    return math.cos(angle) * unit + math.sin(angle) * normalize(across, dim=1)


def response_correlation(before: Tensor, after: Tensor, covariance: Tensor) -> Tensor:
    """Correlation of each filter's responses before and after a change, (F,), from -1 to 1.

    Parameters
    ----------
    before, after : Tensor of shape (F, d) or (F, C, kh, kw)
    covariance : Tensor of shape (d, d)
        Of the patches, as `patchinit.moments.patch_moments` gives it. A filter without any response
        has NaN.

    Examples
    --------
    >>> strong_first = torch.diag(torch.tensor([99.0, 1.0]))
    >>> response_correlation(torch.eye(2), torch.eye(2) + 0.1, strong_first).round(decimals=2)
    tensor([1.0000, 0.7400], dtype=torch.float64)
    """
    one, two = (bank.flatten(1).double() for bank in (before, after))
    covariance = covariance.double()
    variances = [((w @ covariance) * w).sum(1) for w in (one, two)]
    return ((one @ covariance) * two).sum(1) / (variances[0] * variances[1]).sqrt()


def expected_correlation(variances: Tensor, degrees: float) -> Tensor:
    """The same for a turn by an angle, of filters whose responses do not correlate, (F,).

    A filter of variance v, turned towards directions whose mean variance is m, keeps a correlation
    of 1 / sqrt(1 + tan² m / v). `variances`, (F,) with F > 1, are those of a whole basis.
    """
    others = (variances.sum() - variances) / (len(variances) - 1)
    return 1 / (1 + math.tan(math.radians(degrees)) ** 2 * others / variances).sqrt()
