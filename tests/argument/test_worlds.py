"""Every rule of the argument is right in made-up worlds: those where its claim is true, and false.

`python -m benchmarks.argument_rules` prints how often, over many trials.
"""

import pytest
import torch

from benchmarks.argument import World
from benchmarks.argument_rules import worlds

SEEDS = range(100, 102)


@pytest.mark.parametrize("world", worlds(), ids=lambda world: f"{world.claim}: {world.name}")
def test_rule_does_not_err(world):
    found = [world.decide(torch.Generator().manual_seed(seed)) for seed in SEEDS]
    assert not any(map(world.errs, found)), found


@pytest.mark.parametrize("claim", sorted({world.claim for world in worlds()}))
def test_each_rule_is_tried_both_ways(claim):
    assert {world.true for world in worlds() if world.claim == claim} >= {True, False}


def test_what_counts_as_an_error():
    true, false = (World("1", "w", truth, lambda generator: None) for truth in (True, False))
    assert [true.errs(found) for found in (True, None, False, "mixed")] == [
        False,
        False,
        True,
        True,
    ]
    assert [false.errs(found) for found in (True, None, False)] == [True, False, False]
