"""Do two banks agree? One measure for components (claim 18) and for clusters (claim 23).

The filters are matched one to one, and the mean of their cosines is judged, over all pairs of banks
with its interval. The sign counts where a filter has one (a centroid); a component has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from torch import Tensor

from patchinit.filters.matching import match

from ..claims import MIXED, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from ..intervals import Interval

AGREES = 0.95  #: mean matched cosine of banks that count as the same

#: What a rule finds: it holds, it does not, parts or choices differ, or nothing is settled.
Outcome = bool | str | None


class Agreement(NamedTuple):
    """Of two banks: the mean and the median cosine of their matched filters."""

    mean: float
    median: float


def matched_agreement(a: Tensor, b: Tensor, *, signed: bool = True) -> Agreement:
    """How well two banks agree whatever the order of their filters, 1 for the same filters.

    Parameters
    ----------
    a, b : Tensor of shape (F, C, kh, kw)
        Equally many filters, else a ValueError.
    signed : bool
        False where a filter and its negative are the same one, as of components.

    Examples
    --------
    >>> import torch
    >>> basis = torch.eye(4).reshape(4, 1, 2, 2)
    >>> matched_agreement(basis, -basis.flip(0), signed=False)
    Agreement(mean=1.0, median=1.0)
    """
    found = match(a, b, signed=signed)[1].numpy()
    return Agreement(float(found.mean()), float(np.median(found)))


def above(interval: Interval, bound: float = AGREES) -> Outcome:
    """Whether a whole interval lies above a bound (True), below it (False), or around it (None).

    >>> above(Interval(0.97, 0.96, 0.98, 6)), above(Interval(0.97, 0.94, 1.0, 6))
    (True, None)
    """
    return {1: True, -1: False, 0: None}[interval.side(of=bound)]


def over_choices(main: Outcome, others: Iterable[Outcome]) -> Outcome:
    """The verdict `main`, or MIXED if a reasonable other choice decides the opposite.

    >>> over_choices(True, [None, True]), over_choices(True, [False]), over_choices(None, [True])
    (True, 'mixed', None)
    """
    found = [main, *others]
    both = True in found and False in found
    return MIXED if both or MIXED in found else main


def all_hold(parts: Iterable[Outcome]) -> Outcome:
    """What needs all of its parts: False if one fails, else None if one is open, else True."""
    found = list(parts)
    return False if False in found else None if None in found else True


def of_parts(parts: Iterable[Outcome]) -> Outcome:
    """A claim with several parts: all hold, none does, some do (MIXED), or one is open (None).

    >>> of_parts([True, True]), of_parts([True, False]), of_parts([True, None])
    (True, 'mixed', None)
    """
    found = list(parts)
    if MIXED in found or (True in found and False in found):
        return MIXED
    return None if None in found else all(found)


def in_words(outcome: Outcome) -> str:
    """The word of a verdict, for a table of choices.

    >>> in_words(True), in_words(None)
    ('supported', 'undecided')
    """
    return {True: SUPPORTED, False: NOT_SUPPORTED, None: UNDECIDED}.get(outcome, MIXED)  # type: ignore[arg-type]
