"""What the runs say, in words: the values are the evidence's, the sentences the book's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

from ..data.catalogue import DATASETS
from ..evidence.claims.rules import DECIDED, FULL_RUNS, Effect, Finding
from ..evidence.intervals import MARGIN

if TYPE_CHECKING:  # a chapter that keeps a number does not depend on training
    from ..evidence.results import Runs


def describe(runs: Runs) -> str:
    """One sentence: which runs, how many, and whether they are reduced.

    Examples
    --------
    >>> from patchinit.evidence.results import read_runs
    >>> describe(read_runs("paper-small"))[:48]  # in the book's repository
    'Reduced runs (paper-small): 30 of 30 runs, 3 see'
    """
    settings = runs.arms[0].settings
    hardware = sorted({name for manifest in runs.manifests for name in manifest["hardware"]})
    images = (
        "all training images"
        if settings.n_train is None
        else f"{settings.n_train:,} training images"
    )
    n_seeds = len(runs.seeds)
    text = (
        f"{'Reduced runs' if runs.reduced else 'Full runs'} ({' and '.join(runs.studies)}): "
        f"{runs.n_finished} of {runs.n_planned} runs, "
        f"{n_seeds} seed{'s'[: n_seeds > 1]}, {settings.epochs} epochs of {images}, "
        f"made on {'; '.join(hardware)}."
    )
    return text + (
        f" {runs.n_diverged} diverged and are kept as they ended." if runs.n_diverged else ""
    )


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, and a proper minus.

    Examples
    --------
    >>> signed(-0.5), signed(0.25, 1)
    ('−0.50', '+0.2')
    """
    return f"{value:+.{digits}f}".replace("-", "\u2212")


def needed(finding: Finding, study: str) -> str:
    """What would decide a claim, with the command that makes it.

    Examples
    --------
    >>> needed(Finding(1, "undecided", reduced=True), "paper")
    'full runs (patchinit run paper)'
    """
    if finding.needed == DECIDED:
        return finding.needed
    if finding.needed == FULL_RUNS:
        return f"full runs (patchinit run {study})"
    if finding.n_seeds:
        return f"about {finding.n_seeds:,} seeds an arm"
    return f"more seeds (patchinit run {study} --seeds 10)"


def evidence(finding: Finding) -> str:
    """The effects that a finding rests on, with intervals and n, in one line.

    Examples
    --------
    >>> from patchinit.evidence.intervals import Interval
    >>> effect = Effect("final accuracy", "cifar10", Interval(0.5, 0.2, 0.8, 5), "pp")
    >>> evidence(Finding(20, "supported", reduced=False, effects=(effect,)))
    'components minus random orthonormal filters on CIFAR-10: +0.50 [+0.20, +0.80] pp, n = 5'
    """
    write = _WRITERS[finding.claim]
    groups = groupby(finding.effects, key=lambda effect: effect.dataset)
    texts = [write(DATASETS[dataset].label, list(effects)) for dataset, effects in groups]
    if not texts and finding.parts:
        texts = [_ON_PARTS[finding.claim](finding.parts)]
    return "; ".join(texts) or "no runs yet"


def _against_glorot(dataset: str, effects: list[Effect]) -> str:
    texts = []
    for effect in effects:
        ((one, _),) = effect.arms
        paper = "not reported" if effect.paper is None else signed(effect.paper)
        text = f"{one.label} minus Glorot on {dataset}: {_points(effect)} (paper {paper})"
        texts.append(text + (f", within ±{MARGIN} pp" if effect.equivalent else ""))
    return "; ".join(texts)


def _points(effect: Effect) -> str:
    return f"{effect.value:+.2f} pp, n = {effect.value.n}"


def _minus(what: str) -> Callable[[str, list[Effect]], str]:
    return lambda dataset, effects: f"{what} on {dataset}: {_points(effects[0])}"


def _speed(dataset: str, effects: list[Effect]) -> str:
    area, epochs = effects
    return (
        f"components minus Glorot on {dataset}: mean accuracy "
        f"of the first {area.epochs} epochs {area.value:+.2f} pp, "
        f"epochs to nine tenths of Glorot's accuracy {epochs.value:+.1f}, n = {area.value.n}"
    )


def _most_changed(dataset: str, effects: list[Effect]) -> str:
    components, kmeans, *matched = (effect.value for effect in effects)
    equal = (
        f"at equal norms {matched[0]:.2f} times as far as both"
        if matched
        else "no runs at equal norms"
    )
    return (
        f"{dataset}: Glorot's filters turn {components:.2f} times as far as components, "
        f"{kmeans:.2f} as k-means, {equal} (n = {components.n})"
    )


def _little_changed(dataset: str, effects: list[Effect]) -> str:
    components, kmeans = (effect.value for effect in effects)
    return (
        f"{dataset}: components turn {components:.2f} times and k-means {kmeans:.2f} times "
        f"as far as random orthonormal filters of the same norm (n = {components.n})"
    )


def _never_trained(dataset: str, effects: list[Effect]) -> str:
    (gain,) = (effect.value for effect in effects)
    return (
        f"{dataset}: never trained, components end {gain:+.2f} pp "
        f"from random orthonormal filters (n = {gain.n})"
    )


def _trend(dataset: str, effects: list[Effect]) -> str:
    every, without = (effect.value for effect in effects)
    return (
        f"{dataset}: rank correlation {every:+.2f}, without the last {without:+.2f} (n = {every.n})"
    )


def _waves(dataset: str, effects: list[Effect]) -> str:
    gaps = ", ".join(f"{effect.arms[0][0].label} {effect.value:+.1f}" for effect in effects)
    n = effects[-1].value.n
    return f"waves in a trained filter minus Glorot's on {dataset}: {gaps}, n = {n}"


#: By claim: what writes the effects of one data set.
_WRITERS: dict[int, Callable[[str, list[Effect]], str]] = {
    **dict.fromkeys((1, 2, 3, 4, 5), _against_glorot),
    6: _speed,
    7: _most_changed,
    8: _little_changed,
    9: _never_trained,
    10: _trend,
    11: lambda dataset, effects: "",
    20: _minus("components minus random orthonormal filters"),
    24: _minus("components in every layer minus in the first alone"),
    25: _minus("components minus Glorot, mean of 1, 5 and 10 % of the labels"),
    26: _waves,
}
#: By claim that follows from others: what writes their readings.
_ON_PARTS: dict[int, Callable[[dict[int, list[str]]], str]] = {
    9: lambda parts: f"rests on claims {' and '.join(map(str, parts))}; no frozen runs yet",
    11: lambda parts: "; ".join(
        f"claim {claim}: {' and '.join(dict.fromkeys(readings))}"
        for claim, readings in parts.items()
    ),
}
