"""What the registered runs say of each claim, by the registered rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from patchinit.data.catalogue import PUBLISHED

from ..claims import MIXED, UNDECIDED
from ..runs.studies import KERAS
from .arms import Of
from .comparisons import (
    COMPONENTS,
    COSINE,
    FROZEN_COMPONENTS,
    FROZEN_RANDOM,
    GLOROT,
    GLOROT_AT_1,
    KMEANS,
    PATCHES,
    RANDOM,
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
from .intervals import Estimate, Interval
from .outcomes import (
    ACCURACY_MARGIN,
    FROZEN_MARGIN,
    LEAST_PAIRS,
    LOOKS,
    SPEED_MARGIN,
    Part,
    beyond,
    conjunction,
    direction,
    equal_within,
    gain,
    part,
)
from .paper import paper_difference
from .results import Runs
from .stages import Stage, stage

DECIDED, INTERIM, NO_RUNS, DECLARED = "decided", "interim", "no runs", "declared undecidable"
BY_DISTANCE = ("7a", "7b", "8")  #: claims on ratios of distances
#: Claims that no number of runs within reach could decide, said before the first run.
UNDECIDABLE = ("1", "3", "5")


@dataclass(frozen=True)
class Reading:
    """One part of a claim on one data set, as the runs at hand show it.

    Examples
    --------
    >>> found = Estimate(1.0, error=0.3, freedom=5, n=6)
    >>> reading = Reading("components - Glorot", "pp", found, n=6, n_registered=6)
    >>> print(f"{reading.interval:+.2f} {reading.unit}, {reading.outcome}")
    +1.00 [+0.23, +1.77] pp, undecided
    """

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
        return self.estimate and self.estimate.interval(self.level)

    @property
    def compatible(self) -> bool | None:
        """Whether the paper's value is one that three seeds might give; None if it gives none."""
        if self.paper is None or self.predicted is None:
            return None
        return self.predicted.side(self.paper) == 0


@dataclass(frozen=True)
class Verdict:
    """What one stage says of one claim on one data set, or on both together.

    Examples
    --------
    >>> readings = (Reading("a", "pp", None, 3, 6), Reading("b", "pp", None, 2, 4))
    >>> verdict = Verdict("9", "cifar10", "B", 30, "undecided", "interim", readings)
    >>> verdict.n, verdict.n_registered
    (2, 4)
    """

    claim: str  #: number, and a letter where it has two halves, as in "7a"
    dataset: str  #: or "both"
    stage: str  #: letter, or two for both data sets, if they differ
    epochs: int  #: of its runs
    outcome: str  #: one of `companion.evidence.outcomes.OUTCOMES`
    state: str  #: "decided", "interim", "no runs" or "declared undecidable"
    readings: tuple[Reading, ...] = ()
    #: of 7 and 8, the same ratios of response distances, if the covariance of patches was given
    by_response: tuple[Reading, ...] = ()
    parts: tuple[Part, ...] = field(default=(), repr=False, compare=False)

    @property
    def n(self) -> int:
        """Pairs of the part that has fewest."""
        return min((reading.n for reading in self.readings), default=0)

    @property
    def n_registered(self) -> int:
        """Registered pairs of the part that has fewest."""
        return min((reading.n_registered for reading in self.readings), default=0)

    @property
    def disagree(self) -> bool:
        """Whether distance and response distance read differently, in a part that is decided."""
        pairs = zip(self.readings, self.by_response, strict=False)
        return self.state == DECIDED and any(a.outcome != b.outcome for a, b in pairs)


@dataclass(frozen=True)
class _Rule:
    """A part: how it is measured and looked at."""

    what: str
    unit: str
    of: tuple[Of, ...]  #: whose registered seeds it needs
    measure: Callable[[Stage], Estimate | Accuracy | None]
    look: Callable[[Interval], str]
    paper: float | None = None


def _judge(claim: str, on: Stage, rules: list[_Rule]) -> Verdict:
    """The verdict of one stage on one data set, from its parts."""
    readings, parts = [], []
    for rule in rules:
        found = rule.measure(on)
        estimate = found.estimate if isinstance(found, Accuracy) else found
        at = part(estimate, rule.look)
        more = {}
        if isinstance(found, Accuracy) and rule.paper is not None and estimate.n > 1:
            more["predicted"] = prediction_interval(found.squares, found.residual, found.weights)
            more["needed"] = pairs_needed(rule.paper, found.squares, found.residual, found.weights)
        arms, registered = on.paired(*rule.of), on.registered(*rule.of)
        n, outcome = len(arms[0].seeds) if arms else 0, at(0.95)
        reading = Reading(
            rule.what, rule.unit, estimate, n, registered, outcome, paper=rule.paper, **more
        )
        readings.append(reading)
        parts.append(at)
    return _verdict(claim, on, readings, parts)


def _verdict(claim: str, on: Stage, readings: list[Reading], parts: list[Part]) -> Verdict:
    complete = all(reading.n >= reading.n_registered >= LEAST_PAIRS for reading in readings)
    if claim in UNDECIDABLE:
        outcome, state = UNDECIDED, DECLARED
    elif complete:
        outcome, state = conjunction(parts), DECIDED
    else:
        outcome = UNDECIDED
        state = INTERIM if any(reading.n for reading in readings) else NO_RUNS
    return Verdict(
        claim, on.dataset, on.letter, on.epochs, outcome, state, tuple(readings),
        parts=tuple(parts),
    )  # fmt: skip


def both(claim: str, verdicts: list[Verdict]) -> Verdict | None:
    """The parts of two data sets at one length joined; None until both have their verdicts."""
    if len(verdicts) < 2 or any(verdict.state != DECIDED for verdict in verdicts):
        return None
    parts = tuple(at for verdict in verdicts for at in verdict.parts)
    first = verdicts[0]
    # Those of one data set alone would stand beside the readings of the other.
    beside = [v.by_response for v in verdicts]
    by_response = tuple(r for of in beside for r in of) if all(beside) else ()
    return Verdict(
        claim, "both", "".join(dict.fromkeys(v.stage for v in verdicts)), first.epochs,
        conjunction(parts), DECIDED, tuple(r for v in verdicts for r in v.readings),
        by_response, parts,
    )  # fmt: skip


def overall(verdicts: Sequence[Verdict]) -> str:
    """One word for all verdicts on a claim; the places that it holds for belong beside it.

    Returns
    -------
    str
        The outcome that all decided verdicts on single data sets share, "mixed" if they differ,
        "undecided" if there is none. A decided "undecided" beside others does not count.

    Examples
    --------
    >>> overall([]), overall([Verdict("8", "cifar10", "B", 30, "supported", "decided")])
    ('undecided', 'supported')
    """
    found = {v.outcome for v in verdicts if v.state == DECIDED and v.dataset != "both"}
    found -= {UNDECIDED}
    return MIXED if len(found) > 1 else found.pop() if found else UNDECIDED


# --- The parts of each claim ---------------------------------------------------------------------


def _pair(
    one: Of,
    other: Of,
    sign: int,
    *,
    paper: float | None = None,
    counts: Callable[[Of], bool] = lambda of: True,
) -> _Rule:
    """One arm's final accuracy minus another's."""
    return _Rule(
        f"{one.label} \u2212 {other.label}", "pp", (one, other),
        lambda on: accuracy(on, {one: 1, other: -1}, counts=counts),
        lambda interval: direction(interval, sign, ACCURACY_MARGIN),
        paper,
    )  # fmt: skip


def _against_glorot(of: Of, sign: int, dataset: str) -> _Rule:
    return _pair(of, GLOROT, sign, paper=paper_difference(dataset, of))


def _above_patches(of: Of, dataset: str) -> _Rule:
    ours, patches = (paper_difference(dataset, one) for one in (of, PATCHES))
    paper = None if None in (ours, patches) else ours - patches
    return _pair(of, PATCHES, 1, paper=paper)


def _turns(one: Of, other: Of, bound: float, sign: int, measure: Measure) -> _Rule:
    return _Rule(
        f"{one.label} / {other.label}", "ratio", (one, other),
        lambda on: ratio(on, one, other, measure),
        lambda interval: beyond(interval, bound, sign),
    )  # fmt: skip


def _rules(claim: str, dataset: str, measure: Measure = cosine) -> list[_Rule]:
    """The parts of a claim on one data set; `measure` is how far a filter turns."""
    first, second = _against_glorot(COMPONENTS, 1, dataset), _against_glorot(KMEANS, -1, dataset)
    trained = {FROZEN_COMPONENTS: 1, COMPONENTS: -1}
    gained = trained | {FROZEN_RANDOM: -1, RANDOM: 1}
    found = {
        "1": [first],
        "2": [first],
        "3": [second],
        "4": [_against_glorot(PATCHES, -1, dataset)],
        "5": [first, second],
        "6": [
            _Rule(
                "accuracy of the first 50 epochs, components \u2212 Glorot", "pp",
                (COMPONENTS, GLOROT), speed,
                lambda interval: direction(interval, 1, SPEED_MARGIN),
            )
        ],
        "7a": [_turns(GLOROT, of, 1.25, 1, measure) for of in (COMPONENTS, KMEANS)],
        "7b": [_turns(GLOROT_AT_1, of, 1.25, 1, measure) for of in (COMPONENTS, KMEANS)],
        "8": [_turns(of, RANDOM, 0.8, -1, measure) for of in (COMPONENTS, KMEANS)],
        "9": [
            _Rule(
                "what freezing gains components over random filters", "pp", tuple(gained),
                lambda on: accuracy(on, gained), gain,
            ),
            _Rule(
                "components, frozen \u2212 trained", "pp", tuple(trained),
                lambda on: accuracy(on, trained),
                lambda interval: equal_within(interval, FROZEN_MARGIN),
            ),
        ],
        "10": [
            _Rule(
                f"distance and index{'' if with_last else ', without the last'}",
                "rank correlation", (COMPONENTS,),
                lambda on, with_last=with_last: order(on, with_last=with_last),
                lambda interval: beyond(interval, 0.2, 1),
            )
            for with_last in (True, False)
        ],
        "20": [_pair(COMPONENTS, of, 1) for of in (COSINE, RANDOM)],
        "24": [
            _pair(Of("principal_components", layers="all"), COMPONENTS, 1, counts=_as_in_stage_b)
        ],
        "25": [_fewer_labels()],
        "27": [_above_patches(of, dataset) for of in (COMPONENTS, KMEANS)],
    }  # fmt: skip
    return found["6" if claim == "30" else claim]  # both have this one verdict


def _as_in_stage_b(of: Of) -> bool:
    """Whether an arm of stage E has PyTorch's defaults and all labels."""
    return not of.settings.keys() & {"label_share", *KERAS}


def _fewer_labels() -> _Rule:
    weights = {
        Of(of.method, label_share=share): sign / 3
        for share in (0.01, 0.05, 0.1)
        for of, sign in ((COMPONENTS, 1), (GLOROT, -1))
    }
    return _Rule(
        "components \u2212 Glorot, mean of 1, 5 and 10 % of the labels", "pp", tuple(weights),
        lambda on: accuracy(on, weights, counts=weights.__contains__),
        lambda interval: direction(interval, 1, ACCURACY_MARGIN),
    )  # fmt: skip


#: Which stage decides what, by claim: (stage, data set), as registered.
DECIDES = {
    "1": [("B", "cifar10"), ("D", "cifar10")],
    "2": [("A", "fashion_mnist")],
    "3": [("A", "fashion_mnist"), ("B", "cifar10"), ("D", "cifar10")],
    "4": [("A", "fashion_mnist"), ("B", "fashion_mnist"), ("B", "cifar10")],
    "5": [("A", "fashion_mnist"), ("B", "cifar10"), ("D", "cifar10")],
    **dict.fromkeys(("6", "30"), [("A", "fashion_mnist"), ("D", "cifar10")]),
    **dict.fromkeys(
        ("7a", "8", "10"),
        [("A", "fashion_mnist"), ("D", "cifar10"), ("B", "fashion_mnist"), ("B", "cifar10")],
    ),
    **dict.fromkeys(("7b", "9", "20"), [("B", "fashion_mnist"), ("B", "cifar10")]),
    **dict.fromkeys(("24", "25"), [("E", "fashion_mnist"), ("E", "cifar10")]),
    "27": [("A", "fashion_mnist"), ("B", "fashion_mnist"), ("B", "cifar10")],
}
#: Claims that speak of both data sets, and the pairs of stages of one length that join them.
JOINED = {
    **dict.fromkeys(("6", "30", "7a", "8", "10"), (("A", "D"), ("B", "B"))),
    **dict.fromkeys(("7b", "9", "20"), (("B", "B"),)),
    **dict.fromkeys(("24", "25"), (("E", "E"),)),
}


def verdicts(
    runs: Mapping[str, Runs | None], covariances: Mapping[str, Tensor] | None = None
) -> list[Verdict]:
    """Every verdict that the protocol names, in the order of the claims.

    Parameters
    ----------
    runs : mapping of str to Runs or None
        Of the stages' studies by name (`anchor`, `grid`, `null`, `anchor-cifar10`, `beyond`), as
        `companion.evidence.stages.read_stages` gives them. What is not in may be missing.
    covariances : mapping of str to Tensor of shape (d, d), optional
        Of the raw patches, by data set. Given, the verdicts on 7 and 8 have the readings of the
        response distance beside them.

    Returns
    -------
    list of Verdict
        One for each stage and data set that a claim is decided on, with runs or without, and where
        both data sets have theirs one for both.

    Examples
    --------
    >>> first = verdicts({})[0]
    >>> first.claim, first.stage, first.state
    ('1', 'B', 'declared undecidable')
    """
    found = []
    for claim, places in DECIDES.items():
        of_claim = {}
        for letter, dataset in places:
            on = stage(letter, runs, dataset)
            rules = _rules(claim, dataset)
            judged = looks_at_claim_2(on) if claim == "2" else _judge(claim, on, rules)
            if claim in BY_DISTANCE and covariances and dataset in covariances:
                rules = _rules(claim, dataset, response(covariances[dataset]))
                beside = _judge(claim, on, rules).readings
                judged = replace(judged, by_response=beside)
            of_claim[letter, dataset] = judged
        found += of_claim.values()
        for fashion, cifar in JOINED.get(claim, ()):
            places = zip((fashion, cifar), reversed(PUBLISHED), strict=True)
            if joined := both(claim, [of_claim[place] for place in places if place in of_claim]):
                found.append(joined)
    return found


def looks_at_claim_2(on: Stage) -> Verdict:
    """Claim 2 is looked at with 4, 6 and 8 pairs; the first look that is not undecided decides.

    Examples
    --------
    >>> from companion.evidence.results import read_runs
    >>> from companion.runs.studies import STUDIES
    >>> runs = read_runs("paper-small")  # in the book's repository: three pairs
    >>> verdict = looks_at_claim_2(Stage(runs, STUDIES["paper-small"], "fashion_mnist"))
    >>> verdict.state, verdict.n, verdict.n_registered
    ('interim', 3, 4)
    """
    (rule,) = _rules("2", on.dataset)
    arms = on.paired(*rule.of, below=max(LOOKS))
    n = len(arms[0].seeds) if arms else 0
    found, level, outcome = rule.measure(on), 0.95, UNDECIDED
    state, at = (INTERIM if n else NO_RUNS), min(LOOKS)
    for at, level_of_look in LOOKS.items():
        look = accuracy(on, {COMPONENTS: 1, GLOROT: -1}, below=at)
        if look is None or look.estimate.n < at:
            break
        found, level = look, level_of_look
        outcome = rule.look(look.estimate.interval(level))
        if outcome != UNDECIDED or at == max(LOOKS):
            state = DECIDED
            break
    more = {}
    if found and found.estimate.n > 1:
        more["predicted"] = prediction_interval(found.squares, found.residual)
        more["needed"] = pairs_needed(rule.paper, found.squares, found.residual)
    reading = Reading(
        rule.what, rule.unit, found and found.estimate, n, at, outcome, level, rule.paper, **more
    )
    return Verdict("2", on.dataset, on.letter, on.epochs, outcome, state, (reading,))


def unlike_data_sets(runs: Mapping[str, Runs | None]) -> list[tuple[str, str, Estimate]]:
    """Claim 11: the difference of each effect, CIFAR-10 minus Fashion-MNIST, at one length.

    Parameters
    ----------
    runs : mapping of str to Runs or None
        As for `verdicts`. Effects that one of the data sets has no runs for are left out.

    Returns
    -------
    list of (stages, what, Estimate)
        Differences of logarithms for ratios (turned back they are ratios of ratios), of
        correlations after Fisher's transformation, of percentage points for claim 9.

    Examples
    --------
    >>> from companion.evidence.results import read_runs
    >>> runs = read_runs("paper-small")  # in the book's repository; here in place of both stages
    >>> stages, what, found = unlike_data_sets({"anchor": runs, "anchor-cifar10": runs})[3]
    >>> print(f"{stages}, {what}: {found.interval():.2f}")
    DA, k-means / random orthonormal: 1.44 [1.06, 1.96]
    """
    found = []
    for fashion, cifar, claims in (
        ("A", "D", ("7a", "8", "10")),
        ("B", "B", ("7a", "7b", "8", "9", "10")),
    ):
        ours, theirs = stage(cifar, runs, "cifar10"), stage(fashion, runs, "fashion_mnist")
        for claim in claims:
            rules = zip(_rules(claim, "cifar10"), _rules(claim, "fashion_mnist"), strict=True)
            for one, other in rules:
                a, b = one.measure(ours), other.measure(theirs)
                if a is None or b is None:
                    continue
                a, b = (x.estimate if isinstance(x, Accuracy) else x for x in (a, b))
                found.append((cifar + fashion, one.what, welch_difference(a, b)))
    return found
