"""Claims 16, 18 and 21: banks that leak or not, spectra with and without gaps, even and uneven."""

from functools import partial

import torch
from torch import Tensor

from benchmarks.argument import World
from companion.argument.agreement import Outcome, matched_agreement
from companion.argument.components import (
    cosines_with_constant,
    evens_out,
    images_suffice,
    kept_shares,
    largest_angles,
    means_vanish,
)
from companion.claims import MIXED
from patchinit.filters import principal_components

D, DRAWS = 9, 8


def leaking(degrees: float, g: torch.Generator) -> Outcome:
    """An orthonormal bank whose constant filter is turned towards one of the others."""
    columns = torch.randn(D, D, generator=g, dtype=torch.float64)
    columns[:, 0] = 1
    bank = torch.linalg.qr(columns).Q.T
    turn = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    one, other = bank[0].clone(), bank[1].clone()
    bank[0], bank[1] = turn.cos() * one + turn.sin() * other, turn.cos() * other - turn.sin() * one
    return means_vanish(cosines_with_constant(bank), D)


def standardised(feature_step: bool, uneven: float, g: torch.Generator) -> Outcome:
    """Components of noise whose corner varies more by a factor than the other values do."""
    patches = torch.randn(4000, 1, 3, 3, generator=g)
    patches[:, :, 0, 0] *= uneven
    bank = principal_components(patches, D, feature_standardize=feature_step)
    return means_vanish(cosines_with_constant(bank.filters), D)


def samples(levels: list[float], n: int, g: torch.Generator) -> Outcome:
    """Components of n Gaussian points of a known spectrum, against the true ones."""
    values = torch.tensor(levels, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(D, D, generator=g, dtype=torch.float64)).Q
    matrix = turn.T @ torch.diag(values) @ turn
    angles, kept, agreement = [], [], []
    for _ in range(DRAWS):
        points = torch.randn(n, D, generator=g, dtype=torch.float64) * values.sqrt() @ turn
        found = torch.linalg.eigh(points.T @ points / n)[1].T.flip(0)
        angles.append(largest_angles(found, turn))
        kept.append(kept_shares(found, turn, matrix))
        banks = (bank.reshape(-1, 1, 3, 3) for bank in (found, turn))
        agreement.append(matched_agreement(*banks, signed=False).mean)
    return images_suffice(angles, kept, agreement)


def evened(patches_are_filters: bool, contrast: float, g: torch.Generator) -> Outcome:
    """Filters that are patches of uneven contrast, or components of them; with and without."""
    gains = []
    for _ in range(6):
        spread = torch.arange(1, 10) ** -1.0
        patches = torch.randn(2000, D, generator=g) * spread
        patches -= patches.mean(1, keepdim=True)
        patches *= (contrast * torch.randn(2000, 1, generator=g)).exp() / patches.norm(
            dim=1, keepdim=True
        )
        plain = patches.reshape(-1, 1, 3, 3)
        unit = plain / plain.flatten(1).std(1)[:, None, None, None]
        if patches_are_filters:
            one, other = plain[:D], unit[:D]
        else:
            one, other = (torch.linalg.eigh(of.flatten(1).T.cov())[1].T[1:] for of in (plain, unit))
        gains.append([imbalance(one, patches) / imbalance(other, patches)])
    return evens_out(gains)


def imbalance(filters: Tensor, patches: Tensor) -> float:
    low, high = (patches @ filters.flatten(1).T).std(0).aminmax()
    return (high / low).item()


GAPS = [2.0**-i for i in range(D)]
PAIRS = [4.0, 4.0, 1.0, 1.0, 0.25, 0.25, 0.06, 0.06, 0.015]
WORLDS = [
    World("16", "an orthonormal bank with the constant filter", True, partial(leaking, 0.0)),
    World("16", "the constant filter turned by 0.3 degrees", True, partial(leaking, 0.3)),
    World("16", "the constant filter turned by 3 degrees", False, partial(leaking, 3.0)),
    World("16", "uneven values, no feature step", True, partial(standardised, False, 2.0)),
    World("16", "uneven values, feature step", False, partial(standardised, True, 2.0)),
    World("16", "even values, feature step", True, partial(standardised, True, 1.0)),
    World("18", "gaps of a half, 20,000 points", True, partial(samples, GAPS, 20_000)),
    World("18", "gaps of a half, 10 points", False, partial(samples, GAPS, 10)),
    World("18", "level pairs, 20,000 points", MIXED, partial(samples, PAIRS, 20_000)),
    World("18", "level pairs, 10 points", False, partial(samples, PAIRS, 10)),
    World("21", "filters are patches of uneven contrast", True, partial(evened, True, 1.0)),
    World("21", "filters are patches of even contrast", False, partial(evened, True, 0.1)),
    World("21", "components of patches", False, partial(evened, False, 1.0)),
]
