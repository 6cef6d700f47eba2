"""What the registered runs say of each claim, by the rules of `companion.claims`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from patchinit.data.catalogue import PUBLISHED

from ..claims import (
    ARMS,
    CLAIMS,
    MIXED,
    SPEED_MARGIN,
    UNDECIDED,
    Claim,
    Decision,
    Difference,
    Order,
    Part,
    Place,
    Ratio,
    Speed,
)
from ..intervals import Estimate, Interval
from .arms import ArmKey
from .comparisons import (
    COMPONENTS,
    GLOROT,
    Accuracy,
    Measure,
    accuracy,
    cosine,
    order,
    ratio,
    response,
    speed,
)
from .estimates import pairs_needed, prediction_interval, welch_difference
from .outcomes import (
    LEAST_PAIRS,
    LOOKS,
    DecisionAt,
    conjunction,
    decision_at,
    direction,
    equal_within,
    no_more_than,
    one_sided,
    positive,
)
from .paper import paper_difference
from .results import Runs
from .stages import Stage, is_due, stage_at, stage_by_letter

DECIDED, INTERIM, NO_RUNS, DECLARED = "decided", "interim", "no runs", "declared undecidable"


@dataclass(frozen=True)
class Reading:
    """One part of a claim on one data set, as the runs at hand show it."""

    what: str  #: "components - Glorot"
    unit: str  #: "pp", "ratio", "rank correlation"
    estimate: Estimate | None  #: None without runs, or from one seed whose spread nothing tells
    n: int  #: pairs at hand
    n_registered: int  #: pairs that the verdict is given at
    outcome: str = UNDECIDED  #: at 95 %, or at the level of the look
    level: float = 0.95  #: of the interval, 0 to 1
    paper: float | None = None  #: the paper's value; None if it gives none
    predicted: Interval | None = None  #: where three seeds made again would find their mean
    needed: tuple[int, ...] = ()  #: pairs that would find the paper's value (best, least, most)

    @property
    def interval(self) -> Interval | None:
        """At its level, in its unit; None without an estimate."""
        return self.estimate.interval(self.level) if self.estimate else None

    @property
    def n_used(self) -> int:
        """Pairs that the interval rests on: between two looks fewer than are at hand."""
        return self.estimate.n if self.estimate else self.n

    @property
    def compatible(self) -> bool | None:
        """Whether the paper's value is one that three seeds might give; None if it gives none."""
        if self.paper is None or self.predicted is None:
            return None
        return self.predicted.side(self.paper) == 0


@dataclass(frozen=True)
class Verdict:
    """What one stage says of one claim on one data set, or on both together."""

    claim: str  #: number, and a letter where it has two halves, as in "7a"
    dataset: str  #: or "both"
    stage: str  #: letter, or two for both data sets, if they differ; "B+F2" of two studies
    epochs: int  #: of its runs
    outcome: str  #: one of `companion.evidence.outcomes.OUTCOMES`
    state: str  #: "decided", "interim", "no runs" or "declared undecidable"
    readings: tuple[Reading, ...] = ()
    #: of 7 and 8, the same by response distances, if the covariance of patches was given
    beside: Verdict | None = None
    parts: tuple[DecisionAt, ...] = field(default=(), repr=False, compare=False)
    widths: str = "10\u00d716"  #: of its networks
    second: bool = False  #: whether it is a second look
    studies: tuple[str, ...] = ()  #: whose runs are compared, or waited for
    commit: str | None = None  #: that makes further runs; those of other code are not compared

    @property
    def n(self) -> int:
        """Pairs of the part that has fewest."""
        return min((reading.n for reading in self.readings), default=0)

    @property
    def n_registered(self) -> int:
        """Registered pairs of the part that has fewest."""
        return min((reading.n_registered for reading in self.readings), default=0)

    @property
    def by_response(self) -> tuple[Reading, ...]:
        """The same parts by response distances; empty where they were not measured."""
        return self.beside.readings if self.beside else ()

    @property
    def disagree(self) -> bool:
        """Whether distance and response distance read differently, in a part that is decided."""
        pairs = zip(self.readings, self.by_response, strict=False)
        return self.state == DECIDED and any(a.outcome != b.outcome for a, b in pairs)


# --- The parts of a claim -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """A part of a claim: how it is measured and read."""

    what: str
    unit: str
    keys: tuple[ArmKey, ...]  #: whose registered seeds it needs
    measure: Callable[[Stage], Estimate | Accuracy | None]
    read: Callable[[Interval], str]
    paper: float | None = None


def _key(name: str) -> ArmKey:
    return ArmKey(**ARMS[name])


def _rule(part: Part, dataset: str, measure: Measure = cosine) -> _Rule:
    """Of a part on a data set; `measure` is how far a filter turns."""
    if isinstance(part, Difference):
        return _difference(part, dataset)
    if isinstance(part, Ratio):
        one, other = _key(part.one), _key(part.other)
        return _Rule(
            f"{one.label} / {other.label}", "ratio", (one, other),
            lambda on: ratio(on, one, other, measure),
            lambda interval: one_sided(interval, part.bound, part.sign),
        )  # fmt: skip
    if isinstance(part, Order):
        return _Rule(
            f"distance and index{'' if part.with_last else ', without the last'}",
            "rank correlation", (COMPONENTS,),
            lambda on: order(on, with_last=part.with_last),
            lambda interval: one_sided(interval, part.bound),
        )  # fmt: skip
    assert isinstance(part, Speed)
    return _Rule(
        "accuracy of the first 50 epochs, components \u2212 Glorot", "pp", (COMPONENTS, GLOROT),
        speed, lambda interval: direction(interval, 1, SPEED_MARGIN),
    )  # fmt: skip


def _difference(part: Difference, dataset: str) -> _Rule:
    weights = {_key(name): weight for name, weight in part.weights.items()}
    keys = tuple(weights)
    paper = None
    if part.size:
        ours, theirs = (paper_difference(dataset, key) for key in keys)
        paper = None if ours is None or theirs is None else ours - theirs
    readings: dict[str, Callable[[Interval], str]] = {
        "direction": lambda interval: direction(interval, part.sign, part.margin),
        "gain": positive,
        "equal": lambda interval: equal_within(interval, part.margin),
        "below": lambda interval: no_more_than(interval, part.margin),
        "zero": lambda interval: direction(interval, part.sign, 0.0),
    }
    what = part.what or f"{keys[0].label} \u2212 {keys[1].label}"
    return _Rule(what, "pp", keys, lambda on: accuracy(on, weights), readings[part.reads], paper)


def _reading(rule: _Rule, on: Stage, level: float) -> tuple[Reading, DecisionAt]:
    found = rule.measure(on)
    estimate = found.estimate if isinstance(found, Accuracy) else found
    at = decision_at(estimate, rule.read)
    return Reading(
        rule.what, rule.unit, estimate, on.n(*rule.keys),
        on.registered(*rule.keys), at(level), level, rule.paper, *_size(rule, found),
    ), at  # fmt: skip


def _size(rule: _Rule, found: Estimate | Accuracy | None) -> tuple[Interval | None, tuple]:
    """Where three seeds would find their mean, and how many would find the paper's value."""
    if rule.paper is None or not isinstance(found, Accuracy) or found.estimate.n < 2:
        return None, ()
    size = found.squares, found.residual, found.weights
    return prediction_interval(*size), pairs_needed(rule.paper, *size)


def _judge(name: str, claim: Claim, decision: Decision, place: Place, on: Stage, due: bool,
           measure: Measure = cosine) -> Verdict:  # fmt: skip
    """The verdict at one place, from the parts of the claim."""
    rules = [_rule(part, place.dataset, measure) for part in decision.parts]
    found = [_reading(rule, on, place.level) for rule in rules]
    readings, parts = [reading for reading, _ in found], [at for _, at in found]
    if claim.declared:
        outcome, state = UNDECIDED, DECLARED
    elif due and all(reading.n >= reading.n_registered >= LEAST_PAIRS for reading in readings):
        outcome, state = conjunction(parts, place.level), DECIDED
    else:
        outcome = UNDECIDED
        state = INTERIM if any(reading.n for reading in readings) else NO_RUNS
    return Verdict(
        name, on.dataset, on.letter, on.epochs, outcome, state, tuple(readings),
        parts=tuple(parts), widths=on.widths, second=place.second,
        studies=tuple(dict.fromkeys((place.study, *place.others, *place.when))),
    )  # fmt: skip


# --- The verdicts ---------------------------------------------------------------------------------


def both(claim: str, verdicts: list[Verdict]) -> Verdict | None:
    """The parts of two data sets at one length joined; None until both have their verdicts."""
    if len(verdicts) < 2 or any(verdict.state != DECIDED for verdict in verdicts):
        return None
    parts = tuple(at for verdict in verdicts for at in verdict.parts)
    first = verdicts[0]
    # Those of one data set alone would stand beside the readings of the other.
    twins = [verdict.beside for verdict in verdicts if verdict.beside]
    beside = both(claim, twins) if len(twins) == len(verdicts) else None
    return Verdict(
        claim, "both", "".join(dict.fromkeys(v.stage for v in verdicts)), first.epochs,
        conjunction(parts), DECIDED, tuple(r for v in verdicts for r in v.readings),
        beside, parts, first.widths, studies=first.studies,
    )  # fmt: skip


def overall(verdicts: Sequence[Verdict]) -> str:
    """One word for all verdicts on a claim; the places that it holds for belong beside it.

    The outcome that all decided ones on single data sets share, "mixed" if they differ. A decided
    "undecided" beside others does not count. Of a claim with two halves both are to share it.
    """
    of_halves = {_shared([v for v in verdicts if v.claim == name]) for name in names_of(verdicts)}
    return MIXED if len(of_halves) > 1 else of_halves.pop() if of_halves else UNDECIDED


def names_of(verdicts: Sequence[Verdict]) -> list[str]:
    """The claims, or their halves, that verdicts are on, in order: "7a", "7b"."""
    return list(dict.fromkeys(verdict.claim for verdict in verdicts))


def _shared(verdicts: Sequence[Verdict]) -> str:
    found = {v.outcome for v in verdicts if v.state == DECIDED and v.dataset != "both"}
    found -= {UNDECIDED}
    return MIXED if len(found) > 1 else found.pop() if found else UNDECIDED


def verdicts(
    runs: Mapping[str, Runs | None], covariances: Mapping[str, Tensor] | None = None
) -> list[Verdict]:
    """Every verdict that the protocol names, in the order of the claims, with runs or without.

    Of `runs` by study, as `read_stages` gives them. Where both data sets have theirs there is one
    for both; a second look is there where the first left the claim undecided. With `covariances`,
    (d, d) of raw patches by data set, 7 and 8 have readings of the response distance beside them.
    """
    found = []
    commit = next((one.registration.runs_commit for one in runs.values() if one), None)
    for claim in CLAIMS.values():
        for decision in claim.decisions:
            name = f"{claim.number}{decision.half}"
            at: dict[tuple[str, str], Verdict] = {}
            for place in decision.places:
                first = at.get((place.study, place.dataset))
                if place.second and not (
                    first and (first.state, first.outcome) == (DECIDED, UNDECIDED)
                ):
                    continue
                on, due = stage_at(place, runs), is_due(place, runs)
                if claim.number == 2:
                    judged = looks_at_claim_2(on)
                else:
                    judged = _judge(name, claim, decision, place, on, due)
                if decision.by_distance and covariances and place.dataset in covariances:
                    measure = response(covariances[place.dataset])
                    beside = _judge(name, claim, decision, place, on, due, measure)
                    judged = replace(judged, beside=beside)
                found.append(replace(judged, commit=commit))
                at.setdefault((place.study, place.dataset), judged)
            for studies in decision.joined:
                places = zip(studies, reversed(PUBLISHED), strict=True)
                if joined := both(name, [at[place] for place in places if place in at]):
                    found.append(joined)
    return found


def looks_at_claim_2(on: Stage) -> Verdict:
    """Claim 2 is looked at with 4, 6 and 8 pairs; the first look that is not undecided decides."""
    rule = _rule(CLAIMS[2].decisions[0].parts[0], on.dataset)
    arms = on.paired(*rule.keys, below=max(LOOKS))
    n = len(arms[0].seeds) if arms else 0
    found, level, outcome = rule.measure(on), 0.95, UNDECIDED
    state, at = (INTERIM if n else NO_RUNS), min(LOOKS)
    for at, level_of_look in LOOKS.items():
        look = accuracy(on, {COMPONENTS: 1, GLOROT: -1}, below=at)
        if look is None or look.estimate.n < at:
            break
        found, level = look, level_of_look
        outcome = rule.read(look.estimate.interval(level))
        if outcome != UNDECIDED or at == max(LOOKS):
            state = DECIDED
            break
    reading = Reading(
        rule.what, rule.unit, found.estimate if isinstance(found, Accuracy) else None, n, at,
        outcome, level, rule.paper, *_size(rule, found),
    )  # fmt: skip
    return Verdict(
        "2", on.dataset, on.letter, on.epochs, outcome, state, (reading,), widths=on.widths,
        studies=(on.study.name,),
    )  # fmt: skip


def unlike_data_sets(runs: Mapping[str, Runs | None]) -> list[tuple[str, str, Estimate]]:
    """Claim 11: stages, effect and its difference, CIFAR-10 minus Fashion-MNIST at one length.

    Differences of logarithms for ratios (turned back they are ratios of ratios), of correlations
    after Fisher's transform (not turned back), of pp for claim 9. An effect without runs on both
    is left out.
    """
    found = []
    for fashion, cifar, claims in (
        ("A", "D", ("7a", "8", "10")),
        ("B", "B", ("7a", "7b", "8", "9", "10")),
    ):
        ours = stage_by_letter(cifar, runs, "cifar10")
        theirs = stage_by_letter(fashion, runs, "fashion_mnist")
        for claim in claims:
            for part in _decision(claim).parts:
                one, other = _rule(part, "cifar10"), _rule(part, "fashion_mnist")
                a, b = one.measure(ours), other.measure(theirs)
                if a is None or b is None:
                    continue
                a, b = (x.estimate if isinstance(x, Accuracy) else x for x in (a, b))
                found.append((cifar + fashion, one.what, welch_difference(a, b)))
    return found


def _decision(name: str) -> Decision:
    """Of a claim by its name, such as "7a"."""
    number = int(name.rstrip("ab"))
    return next(d for d in CLAIMS[number].decisions if f"{number}{d.half}" == name)
