"""What the runs say, in words: the values are the evidence's, the sentences the book's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from patchinit.data.catalogue import DATASETS, PUBLISHED

from ..claims import UNDECIDED
from ..evidence.judge import DECIDED, DECLARED, INTERIM, NO_RUNS, Reading, Verdict, names_of
from ..evidence.outcomes import LEAST_PAIRS, LOOKS
from ..evidence.stages import RESTING, Stage
from .typography import proper_minus

if TYPE_CHECKING:
    from ..intervals import Interval


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, and a proper minus.

    >>> signed(-0.5), signed(0.25, 1)
    ('−0.50', '+0.2')
    """
    return proper_minus(f"{value:+.{digits}f}")


def number_of(claim: str) -> int:
    """The claim's number, without the letter of its half: 7 of "7a"."""
    return int(claim.rstrip("ab"))


def stage_line(on: Stage) -> dict[str, str]:
    """Which runs a stage rests on, and how far it is: a line of the box that heads a chapter."""
    settings = on.settings
    made = [result for arm in on.arms for result in arm.results]
    broken = sum(result.diverged for result in made)
    runs, state = str(len(made)), "reduced" if on.study.reduced else "not registered"
    state += ", decides nothing"
    if on.letter:
        planned = {
            study.settings(arm, on.dataset, seed)
            for study in on.studies
            for arm in study.arms
            for seed in study.seeds_of(arm)
        }
        n_in = sum(result.settings in planned for result in made)
        runs = f"{n_in} of {len(planned)}"
        state = "complete" if n_in == len(planned) else "interim"
    # Registered: a run that diverges is reported.
    ended = f"; {broken} ended early, the loss was not finite" if broken else ""
    return {
        "data set": DATASETS[on.dataset].label,
        "epochs": str(on.epochs),
        "training images": "all" if settings.n_train is None else f"{settings.n_train:,}",
        "stage": on.letter or "none",
        "runs": runs,
        "seeds": str(len({result.settings.seed for result in made})),
        "state": state + ended,
    }


def setting_label(verdict: Verdict) -> str:
    """Data set, width, length and stage of a verdict.

    >>> setting_label(Verdict("9", "cifar10", "B", 30, "undecided", "no runs"))
    'CIFAR-10, 10×16, 30 epochs'
    """
    names = PUBLISHED if verdict.dataset == "both" else (verdict.dataset,)
    where = " and ".join(DATASETS[name].label for name in names)
    second = ", second look" if verdict.second else ""
    return f"{where}, {verdict.widths}, {verdict.epochs} epochs{second}"


def _doubt(verdict: Verdict) -> str:
    """How cosine distances and response distances differ, where they do."""
    if not verdict.disagree or verdict.beside is None:
        return ""
    if verdict.beside.outcome == verdict.outcome:
        return f"; the two measures disagree part by part: by responses {verdict.outcome} as well"
    return f"; the two measures disagree: by responses {verdict.beside.outcome}"


def short(text: str) -> str:
    """Methods' labels as one would say them.

    >>> short("Glorot uniform at norm 1"), short("principal components")
    ('Glorot at norm 1', 'components')
    """
    return text.replace("Glorot uniform", "Glorot").replace("principal components", "components")


def compared(reading: Reading) -> str:
    """What a part compares, in short names: "components \N{MINUS SIGN} Glorot"."""
    return short(reading.what)


def verdict_phrase(verdict: Verdict) -> str:
    """The outcome where it is decided, else how far the runs are."""
    if verdict.state == DECIDED:
        return verdict.outcome + _doubt(verdict)
    if verdict.state == DECLARED:
        return "undecided, as declared"
    if verdict.state == INTERIM:
        return f"interim, {verdict.n} of {verdict.n_registered} pairs"
    return "no runs yet"


def effect(reading: Reading) -> str:
    """The number of a reading with its interval and unit, and the level if that is not 95 %."""
    interval = reading.interval
    if interval is None:
        return "no runs"
    level = f" at {reading.level:.1%}".replace("%", " %") if reading.level != 0.95 else ""
    return _written(interval, reading.unit) + level * interval.shown


def _written(interval: Interval, unit: str) -> str:
    sign, pp = "" if unit == "ratio" else "+", " pp" if unit == "pp" else ""
    if not interval.shown:
        why = "too few runs" if interval.n < LEAST_PAIRS else "too wide an interval"
        return proper_minus(f"{interval.estimate:{sign}.2f}{pp}, {why}")
    return f"{interval:{sign}.2f}{pp}"


def evidence_line(verdicts: Sequence[Verdict]) -> str:
    """What all verdicts on a claim say, in one line."""
    texts = []
    for verdict in verdicts:
        if verdict.n and verdict.dataset != "both":
            parts = "; ".join(
                f"{compared(reading)} {effect(reading)}"
                + (f" (paper {signed(reading.paper)})" if reading.paper is not None else "")
                for reading in verdict.readings
            )
            texts.append(f"{_place(verdict)}: {verdict_phrase(verdict)}; {parts}")
    return ". ".join(texts) or "no registered runs yet"


def _place(verdict: Verdict) -> str:
    half = "" if verdict.claim.isdecimal() else f" ({verdict.claim})"
    return setting_label(verdict) + half


def measured_line(verdicts: Sequence[Verdict]) -> str:
    """What the runs show of a claim, whatever its rule may say: effects with intervals, by place.

    Places from which no interval can be had yet come last, and only their pairs are counted.
    """
    shown, few = [], []
    for verdict in sorted(verdicts, key=lambda verdict: verdict.state != DECIDED):
        repeated = verdict.second and verdict.state != DECIDED  # the pairs of the first look again
        if not verdict.n or verdict.dataset == "both" or repeated:
            continue
        twins = verdict.by_response or [None] * len(verdict.readings)
        parts = [
            f"{compared(reading)} {effect(reading)}{_twin(twin)}, "
            f"n\N{NO-BREAK SPACE}= {reading.n_used}"
            for reading, twin in zip(verdict.readings, twins, strict=True)
            if reading.interval is not None and reading.n >= LEAST_PAIRS
        ]
        if parts:
            shown.append(f"{_place(verdict)}: {'; '.join(parts)}")
        else:
            few.append(f"{_place(verdict)} ({_pairs(verdict.n)})")
    if few:
        shown.append(f"Too few runs for an interval: {'; '.join(few)}")
    return ". ".join(shown) or "No registered run is in yet"


def _twin(twin: Reading | None) -> str:
    known = twin is not None and twin.interval is not None and twin.interval.shown
    return f" (by responses {effect(twin)})" if twin is not None and known else ""


def _pairs(n: int) -> str:
    return f"{n} pair" + "s" * (n != 1)


def decided_line(verdicts: Sequence[Verdict]) -> str:
    """What the registered rule may say of a claim: outcomes, or why there is none yet, by place."""
    places: dict[str, list[str]] = {}
    order = (DECIDED, DECLARED, INTERIM, NO_RUNS)
    single = [verdict for verdict in verdicts if verdict.dataset != "both"]
    for verdict in sorted(single, key=lambda v: (order.index(v.state), v.outcome == UNDECIDED)):
        text = {
            DECIDED: verdict.outcome.capitalize(),
            DECLARED: "Declared undecidable before the first run",
            INTERIM: "Nothing yet",
            NO_RUNS: "Waits for its first runs",
        }[verdict.state]
        if (verdict.state, verdict.outcome) == (DECIDED, UNDECIDED):
            text = "Undecided at its look"
        elif verdict.state == NO_RUNS and verdict.stage in RESTING:
            text = "Set aside"
        places.setdefault(text, []).append(f"{_place(verdict)}{_why(verdict)}")
    return ". ".join(f"{text}: {'; '.join(where)}" for text, where in places.items())


def _why(verdict: Verdict) -> str:
    """What stands behind the outcome at one place, in brackets."""
    if verdict.state == INTERIM:
        early = ", its look is not due yet" if verdict.n >= verdict.n_registered else ""
        return f" ({verdict.n} of {verdict.n_registered} pairs{early})"
    if verdict.state == NO_RUNS or not verdict.n:
        return ""
    if verdict.state == DECIDED and verdict.outcome != UNDECIDED:
        return f" ({_doubt(verdict).removeprefix('; ')})" if verdict.disagree else ""
    read = []
    for reading in verdict.readings:
        if reading.outcome != UNDECIDED:
            read.append(f"{compared(reading)} reads {reading.outcome}")
        if reading.compatible is False and reading.paper is not None:
            read.append(f"the paper's {signed(reading.paper)} is not compatible")
    text = "; ".join(read) + (_doubt(verdict) if read else _doubt(verdict).removeprefix("; "))
    return f" ({text})" if text else ""


def standing(verdicts: Sequence[Verdict]) -> str:
    """How far the runs on an undecided claim are: a key of `companion.claims.STANDINGS`."""
    states = {verdict.state for verdict in verdicts if verdict.dataset != "both"}
    if DECLARED in states:
        return "declared"
    if states & {DECIDED} and not states & {INTERIM, NO_RUNS}:
        return "complete"
    return "none" if states <= {NO_RUNS} else "begun"


def decided_where(verdicts: Sequence[Verdict], outcome: str) -> str:
    """The places where a claim has its verdict, in brackets, with what differs from its outcome.

    Of an open claim, those whose runs are all in. Empty where there are none.
    """
    decided = [v for v in verdicts if v.state == DECIDED and v.dataset != "both"]
    halves = len(names_of(decided)) > 1
    texts = [
        (_place(v) if halves else setting_label(v))
        + ("" if v.outcome == outcome else f": {v.outcome}")
        for v in sorted(decided, key=lambda v: v.outcome != outcome)
    ]
    end = ", at its look" if texts and outcome == UNDECIDED else ""
    return f"({'; '.join(dict.fromkeys(texts))}{end})" if texts else ""


def what_would_decide(verdicts: Sequence[Verdict]) -> str:
    """What would decide a claim, with the command that makes it.

    Never runs that could not: where all registered pairs are in, or the paper's value lies outside
    what such runs give, more of them settle nothing.

    >>> what_would_decide([Verdict("9", "cifar10", "B", 30, "", "no runs", studies=("grid",))])
    'stage B on CIFAR-10 (python -m companion run grid --datasets cifar10)'
    """
    texts = []
    single = [verdict for verdict in verdicts if verdict.dataset != "both"]
    begun = {(v.stage, v.dataset) for v in single if v.n}
    for verdict in single:
        if verdict.state == DECLARED:
            texts += [_size_needed(r, verdict) for r in verdict.readings if r.n >= LEAST_PAIRS]
        elif verdict.state != DECIDED:
            rest = "the rest of " if (verdict.stage, verdict.dataset) in begun else ""
            options = f"{' '.join(verdict.studies)} --datasets {verdict.dataset}"
            command = f"python -m companion run {options}"
            if verdict.commit:  # whose code has the command under its older name
                command = f"at commit {verdict.commit[:7]}: python -m patchinit run {options}"
            label = DATASETS[verdict.dataset].label
            aside = ", which is set aside" if verdict.stage in RESTING else ""
            texts.append(f"{rest}stage {verdict.stage} on {label}{aside} ({command})")
        elif verdict.outcome == UNDECIDED and not _looked_at_again(verdict, single):
            texts.append(f"nothing that is registered on {_place(verdict)}: its runs are all in")
    if not any(texts) and any(verdict.state == DECLARED for verdict in verdicts):
        return "more seeds than any stage has; the runs will say how many"
    return "; ".join(text for text in dict.fromkeys(texts) if text) or "decided"


def _looked_at_again(verdict: Verdict, verdicts: Sequence[Verdict]) -> bool:
    return any(v.second and v.claim == verdict.claim and v.dataset == verdict.dataset
               for v in verdicts)  # fmt: skip


def _size_needed(reading: Reading, verdict: Verdict) -> str:
    """Pairs that would find the paper's value; none where the runs at hand exclude it."""
    if not reading.needed or reading.paper is None:
        return ""
    where = f"for {compared(reading)}, {setting_label(verdict)}"
    if reading.compatible is False:
        return (
            f"nothing {where}: the paper's {signed(reading.paper)} lies outside what three seeds "
            "would show there"
        )
    best, least, most = (f"{n:,}" for n in reading.needed)
    return f"about {best} pairs ({least} to {most}) {where}"


def looks_line(verdict: Verdict) -> str:
    """How far the looks at claim 2 are."""
    if verdict.state == DECIDED:
        return f"Decided at the look with {verdict.n_registered} pairs."
    # A later seed may be in before an earlier one, so the pairs at hand do not tell.
    made = [n for n in LOOKS if n < verdict.n_registered]
    if not made:
        return f"The first look is due with {min(LOOKS)} pairs; none has been made."
    n = verdict.n_registered
    return f"Open after the look with {made[-1]} pairs; the next is due with {n}."


def verdict_record(verdicts: Sequence[Verdict]) -> list[dict]:
    """All of it as plain values, for a file that machines read."""
    return [
        {
            "claim": verdict.claim,
            "dataset": verdict.dataset,
            "stage": verdict.stage,
            "epochs": verdict.epochs,
            "outcome": verdict.outcome,
            "state": verdict.state,
            "n": verdict.n,
            "n_registered": verdict.n_registered,
            "measures_disagree": verdict.disagree,
            "outcome_by_responses": verdict.beside and verdict.beside.outcome,
            "parts": [_part(reading, verdict.state) for reading in verdict.readings],
            "by_responses": [_part(reading, verdict.state) for reading in verdict.by_response],
        }
        for verdict in verdicts
    ]


def _part(reading: Reading, state: str) -> dict:
    interval = reading.interval
    ends = [interval.low, interval.high] if interval is not None and interval.shown else None
    return {
        "compared": compared(reading),
        "unit": reading.unit,
        "estimate": round(interval.estimate, 4) if interval else None,
        "interval": ends and [round(end, 4) for end in ends],
        "level": reading.level,
        "n": reading.n_used,
        "n_registered": reading.n_registered,
        "reads": reading.outcome if state in (DECIDED, DECLARED) and reading.n else None,
        "paper": reading.paper and round(reading.paper, 2),
        "compatible": reading.compatible,
        "pairs_needed": list(reading.needed) or None,
    }
