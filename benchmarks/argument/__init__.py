"""Made-up worlds in which a claim of chapters 1 to 7 is true, and others in which it is false."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from companion.argument.agreement import Outcome


class World(NamedTuple):
    """One world, and what a rule finds in it."""

    claim: str  #: its number, with a letter or a word where it has several rules
    name: str  #: what the world is like
    true: bool | str  #: whether the claim is true there, MIXED where in part
    decide: Callable[[torch.Generator], Outcome]  #: one trial, from patches to the outcome

    def errs(self, outcome: Outcome) -> bool:
        """Whether the outcome is wrong: it neither leaves it open nor is the truth."""
        return outcome is not None and outcome != self.true
