"""How often the rules of claims that need no training are right, in worlds where that is known.

    python -m benchmarks.argument_rules [--trials 40] [--claim 19]

Each module of benchmarks/argument has a list WORLDS. A line is one world; a rule errs where it
finds the opposite of the truth, or "mixed", and may leave a trial open. At most 5 % may be errors.
"""

import argparse
import importlib
import pkgutil
from collections import Counter

import torch

import benchmarks.argument
from benchmarks.argument import World
from companion.argument.agreement import Outcome
from companion.claims import MIXED

MOST = 0.05  #: share of errors that a rule may make
WORDS: dict[Outcome, str] = {True: "holds", False: "not", MIXED: "mixed", None: "open"}


def worlds() -> list[World]:
    """Those of all modules, by claim."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.argument.__path__)]
    found = [importlib.import_module(f"benchmarks.argument.{name}").WORLDS for name in names]
    return sorted((world for of_module in found for world in of_module), key=lambda w: w.claim)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--claim", help="only this one, such as 19")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("claim           truth  holds   not mixed  open  errs  world")
    for world in worlds():
        if arguments.claim and world.claim.split()[0] != arguments.claim:
            continue
        generators = [torch.Generator().manual_seed(seed) for seed in range(arguments.trials)]
        found = Counter(map(world.decide, generators))
        errors = sum(n for outcome, n in found.items() if world.errs(outcome)) / arguments.trials
        shares = "".join(f"{100 * found[key] / arguments.trials:6.0f}" for key in WORDS)
        mark = "  <-- above 5 %" if errors > MOST else ""
        print(
            f"{world.claim:15} {str(world.true):5} {shares}{100 * errors:6.0f}  {world.name}{mark}"
        )


if __name__ == "__main__":
    main()
