"""How often each registered rule says what: when its claim is true, when it is false, in between.

    python benchmarks/rules.py [--trials 2000]

Runs are drawn by the numbers that the plan was made with, and go through the very functions that
judge the real ones. A pair's spread (its standard deviation from seed to seed) is 0.3 or 0.5 pp,
that of the test images 0.15 pp, and independent errors alone would make 0.27 pp. A line is one
truth; its shares add up to 100 %. "covers" is how often the first part's 95 % interval holds the
truth (the true value for another set of seeds and test images).
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from companion.claims import FROZEN_MARGIN, OUTCOMES, SPEED_MARGIN, UNDECIDED
from companion.evidence.estimates import (
    MeanSquares,
    accuracy_estimate,
    pooled_mean_estimate,
    pooled_residual,
)
from companion.evidence.outcomes import (
    LOOKS,
    conjunction,
    decision_at,
    direction,
    equal_within,
    one_sided,
    positive,
)
from companion.intervals import Estimate, mean_estimate

N = 10_000  # test images
FLOOR, IMAGES = 0.27, 0.15  # pp: of a pair by independent errors, and of its mean by test images
#: Seeds of each arm on one data set, as registered.
STAGES = {
    "A": {"pc": 6, "glorot": 6, "kmeans": 3, "patches": 3, "random": 3},
    "B": {
        "pc": 6, "glorot": 6, "kmeans": 6, "patches": 5, "random": 4, "cosine": 4, "glorot 1": 3,
        "pc at glorot": 3, "pc frozen": 3, "random frozen": 3, "cosine frozen": 3,
    },
    "D": {"pc": 3, "glorot": 3, "kmeans": 3, "patches": 3, "random": 3},
}  # fmt: skip


class Drawn:
    """One stage on one data set, drawn: final accuracies of every run, arms of known mean."""

    def __init__(self, rng: np.random.Generator, stage: dict, spread: float, means: dict):
        self.rng, self.spread = rng, spread
        seeds = rng.normal(0, 0.5, max(stage.values()))
        self.finals = {
            arm: means.get(arm, 0.0) + seeds[:n] + rng.normal(0, spread / math.sqrt(2), n)
            for arm, n in stage.items()
        }

    def residual(self, below: int = 99):
        runs = {
            (arm, seed): value
            for arm, of in self.finals.items()
            for seed, value in enumerate(of[:below])
        }
        return pooled_residual(runs)

    def estimate(self, weights: dict[str, int], n: int, below: int = 99) -> Estimate:
        """The estimate that the bits of these runs would give, drawn through its mean squares."""
        mean = sum(weight * self.finals[arm][:n].mean() for arm, weight in weights.items())
        k = len(weights) / 2  # pairs in the sum
        rest, images = k * FLOOR**2 * N, k * IMAGES**2 * N
        chi = self.rng.chisquare
        squares = MeanSquares(
            mean + self.rng.normal(0, math.sqrt(images / N)),
            (n * images + rest) * chi(N - 1) / (N - 1),
            rest * chi((n - 1) * (N - 1)) / ((n - 1) * (N - 1)),
            n,
            N,
        )
        return accuracy_estimate(squares, self.residual(below), list(weights.values()))


Trial = Callable[[np.random.Generator], tuple[str, bool]]  # outcome, and whether it covers


def judged(truth: float, *parts: tuple[Estimate, Callable]) -> tuple[str, bool]:
    """The verdict on estimates by their rules, and whether the first's interval holds the truth."""
    first = parts[0][0].interval()
    return conjunction([decision_at(*part) for part in parts]), first.low <= truth <= first.high


def accuracy(stage: str, pairs: list, truths: list[float], n: int, spread: float) -> Trial:
    """Claims 2 (one look), 4, 20, 24, 27: every pair is to have the claimed sign."""
    means = {pair[0]: truth for pair, truth in zip(pairs, truths, strict=True)}

    def trial(rng):
        drawn = Drawn(rng, STAGES[stage], spread, means)
        parts = [
            (drawn.estimate({a: 1, b: -1}, n), partial(direction, sign=sign))
            for a, b, sign in pairs
        ]
        a, b, _ = pairs[0]
        return judged(means[a] - means.get(b, 0.0), *parts)

    return trial


def looks(truth: float, spread: float) -> Trial:
    """Claim 2: the first look that is not undecided is the verdict."""

    def trial(rng):
        drawn = Drawn(rng, STAGES["A"] | {"pc": 8, "glorot": 8}, spread, {"pc": truth})
        shift = rng.normal(0, IMAGES)  # the test images are the same at every look
        for n, level in LOOKS.items():
            one = drawn.estimate({"pc": 1, "glorot": -1}, n, below=n)
            fixed = drawn.finals["pc"][:n].mean() - drawn.finals["glorot"][:n].mean() + shift
            interval = Estimate(fixed, one.error, one.freedom, n).interval(level)
            outcome = direction(interval, 1)
            if outcome != UNDECIDED:
                break
        return outcome, interval.low <= truth <= interval.high

    return trial


def speed(truth: float, spread: float, n: int, stage: str) -> Trial:
    """Claims 6 and 30: the accuracy averaged over the first 50 epochs."""

    def trial(rng):
        drawn = Drawn(rng, STAGES[stage], spread, {"pc": truth})
        differences = drawn.finals["pc"][:n] - drawn.finals["glorot"][:n]
        one = pooled_mean_estimate(differences, drawn.residual())
        return judged(truth, (one, partial(direction, sign=1, margin=SPEED_MARGIN)))

    return trial


def ratios(truths: list[float], spread: float, n: int, bound: float, sign: int) -> Trial:
    """Claims 7a, 7b and 8: two ratios of mean distances, spread in logarithms."""

    def trial(rng):
        found = [mean_estimate(rng.normal(math.log(t), spread, n), math.exp) for t in truths]
        rule = partial(one_sided, bound=bound, sign=sign)
        return judged(truths[0], *((one, rule) for one in found))

    return trial


def minimum(gained: float, lost: float, spread: float) -> Trial:
    """Claim 9: frozen components against frozen random filters, each against itself trained."""
    means = {"pc frozen": -lost, "random frozen": -lost - gained}
    weights = {"pc frozen": 1, "pc": -1, "random frozen": -1, "random": 1}

    def trial(rng):
        drawn = Drawn(rng, STAGES["B"], spread, means)
        first = drawn.estimate(weights, 3)
        second = drawn.estimate({"pc frozen": 1, "pc": -1}, 3)
        none_lost = partial(equal_within, margin=FROZEN_MARGIN)
        return judged(gained, (first, positive), (second, none_lost))

    return trial


def order(rho: float, spread: float, n: int) -> Trial:
    """Claim 10: the rank correlation with the index, with the last filter and without it."""

    def trial(rng):
        z = rng.normal(math.atanh(rho), spread, n)
        found = [mean_estimate(z + rng.normal(0, 0.05, n), math.tanh) for _ in range(2)]
        return judged(rho, *((one, partial(one_sided, bound=0.2)) for one in found))

    return trial


def lines() -> Iterator[tuple[str, str, Trial]]:
    """What is printed: the rule with its n, the truth, and how to draw a trial."""
    for spread in (0.3, 0.5):
        of = f"pairs {spread}"
        for truth in (0.78, 0.0, -0.5):
            yield f"2, looks at 4, 6, 8, {of}", f"{truth:+.2f} pp", looks(truth, spread)
        for truth in (-0.85, 0.0, 0.5):
            trial = accuracy("B", [("patches", "glorot", -1)], [truth], 5, spread)
            yield f"4, B, n = 5, {of}", f"{truth:+.2f} pp", trial
        pairs = [("pc", "cosine", 1), ("pc", "random", 1)]
        for truth in (1.0, 0.0, -0.5):
            trial = accuracy("B", pairs, [truth] * 2, 4, spread)
            yield f"20, B, n = 4, {of}", f"{truth:+.2f} pp twice", trial
        pairs = [("pc", "patches", 1), ("kmeans", "patches", 1)]
        for stage, n in (("A", 3), ("B", 5)):
            for truths in ([0.94, 0.51], [0.0, 0.0], [-0.5, -0.5]):
                trial = accuracy(stage, pairs, truths, n, spread)
                yield f"27, {stage}, n = {n}, {of}", "{:+.2f}, {:+.2f} pp".format(*truths), trial
        for gained, lost in ((1.0, 0.0), (1.0, 1.5), (0.0, 0.0), (-1.0, 0.0)):
            yield (
                f"9, B, n = 3, {of}",
                f"gain {gained:+.1f}, lost {lost:.1f} pp",
                minimum(gained, lost, spread),
            )
    for stage, n in (("A", 6), ("D", 3)):
        for spread in (0.2, 1.2):
            for truth in (1.5, 0.0, -1.5):
                trial = speed(truth, spread, n, stage)
                yield f"6, 30, {stage}, n = {n}, pairs {spread}", f"{truth:+.1f} pp", trial
    for n in (3, 6):
        for spread in (0.1, 0.4):
            for truth in (3.0, 1.25, 1.0):
                trial = ratios([truth] * 2, spread, n, 1.25, 1)
                yield f"7, n = {n}, log spread {spread}", f"{truth:g} twice", trial
    for n in (3, 4):
        for truth in (0.4, 0.8, 1.0):
            trial = ratios([truth] * 2, 0.2, n, 0.8, -1)
            yield f"8, n = {n}, log spread 0.2", f"{truth:g} twice", trial
    for n in (3, 6):
        for spread in (0.18, 0.44):
            for rho in (0.7, 0.2, 0.0):
                yield f"10, n = {n}, spread {spread}", f"rho {rho:g}", order(rho, spread, n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000, help="of each line (default: 2000)")
    options = parser.parse_args()
    shown = OUTCOMES[:-1]
    print(
        f"{'claim, stage, n':32} {'truth':24}", *(f"{word:>13.13}" for word in shown), "   covers"
    )
    for rule, truth, trial in lines():
        rng = np.random.default_rng(0)
        results = [trial(rng) for _ in range(options.trials)]
        counts = Counter(outcome for outcome, _ in results)
        shares = (f"{100 * counts[word] / len(results):12.1f}%" for word in shown)
        covers = 100 * sum(holds for _, holds in results) / len(results)
        print(f"{rule:32} {truth:24}", *shares, f"{covers:8.1f}%", flush=True)


if __name__ == "__main__":
    main()
