"""What is said of the runs, for every kind of verdict."""

import json
import math
from dataclasses import replace

import pytest

from companion.claims import (
    DESCRIBED,
    MIXED,
    NO_DIFFERENCE,
    NOT_SUPPORTED,
    OUTCOMES,
    SUPPORTED,
    UNDECIDED,
)
from companion.evidence.arms import Arm
from companion.evidence.judge import (
    DECIDED,
    DECLARED,
    INTERIM,
    NO_RUNS,
    Reading,
    Verdict,
    overall,
    verdicts,
)
from companion.evidence.results import read_runs
from companion.evidence.stages import Stage, stage_by_letter
from companion.intervals import Estimate
from companion.pages.phrases import (
    decided_line,
    decided_where,
    effect,
    evidence_line,
    looks_line,
    measured_line,
    setting_label,
    stage_line,
    standing,
    verdict_phrase,
    verdict_record,
    what_would_decide,
)
from companion.runs.studies import STUDIES
from tests.evidence.test_registered import false_accuracy, true_accuracy, true_distance
from tests.synthetic import write_study

CIFAR, FASHION = "CIFAR-10, 10×16, 30 epochs", "Fashion-MNIST, 10×16, 30 epochs"


def read(root, study, **world):
    write_study(root, study, **world)
    return {study: read_runs(study, folder=root / "results")}


def of(found, claim, dataset=None):
    return [v for v in found if v.claim == claim and dataset in (None, v.dataset)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Stage B, complete: the paper is right on CIFAR-10, and in its accuracies wrong elsewhere."""
    return verdicts(
        read(
            tmp_path_factory.mktemp("finished"), "grid", distance=true_distance,
            accuracy=lambda dataset, of: (
                true_accuracy if dataset == "cifar10" else false_accuracy
            )(dataset, of),
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Stage B with one seed on CIFAR-10 and two on Fashion-MNIST."""
    runs = read(
        tmp_path_factory.mktemp("begun"), "grid", accuracy=true_accuracy, seeds=range(2),
        keep=lambda s: s.seed == 0 or s.dataset == "fashion_mnist",
    )  # fmt: skip
    return verdicts(runs)


def made_up(outcome=UNDECIDED, state=DECIDED, *readings, claim="9", dataset="cifar10", **more):
    more = {"studies": ("grid",)} | more
    return Verdict(claim, dataset, "B", 30, outcome, state, readings, **more)


def reading(value=0.5, n=6, unit="pp", outcome=UNDECIDED, *, error=0.1, back=None, **more):
    estimate = Estimate(value, error if n > 1 else math.inf, 8, n)
    return Reading("a − b", unit, replace(estimate, back=back or estimate.back), n, 6, outcome,
                   **more)  # fmt: skip


# --- The words, in one snapshot -------------------------------------------------------------------

YES, NO = reading(outcome=SUPPORTED), reading(outcome=NOT_SUPPORTED)
BY_RESPONSES = made_up(NOT_SUPPORTED, DECIDED, NO)
EXCLUDED = reading(
    1.14, outcome=SUPPORTED, paper=0.09, predicted=reading(1.14).interval, needed=(404, 259, 721)
)
#: Verdicts of every kind, by what is special about them.
KINDS = {
    **{outcome: made_up(outcome) for outcome in OUTCOMES if outcome != DESCRIBED},
    "two and four pairs": made_up(UNDECIDED, INTERIM, reading(n=2), reading(n=4)),
    "without runs": made_up(UNDECIDED, NO_RUNS, reading(n=0)),
    "declared": made_up(UNDECIDED, DECLARED, reading(needed=(1234, 567, 100_000), paper=0.5)),
    "unlike by responses": made_up(SUPPORTED, DECIDED, YES, claim="7a", beside=BY_RESPONSES),
    "unlike parts": made_up(
        NOT_SUPPORTED, DECIDED, YES, NO, claim="8", beside=made_up(NOT_SUPPORTED, DECIDED, NO, YES)
    ),
    "alike by responses": made_up(
        SUPPORTED, DECIDED, YES, claim="7a", beside=made_up(SUPPORTED, DECIDED, YES)
    ),
    "unlike, and open": made_up(UNDECIDED, INTERIM, YES, claim="7a", beside=BY_RESPONSES),
    "half of it": made_up(UNDECIDED, DECIDED, YES, reading()),
    "declared, and excluded": made_up(UNDECIDED, DECLARED, EXCLUDED),
    "both data sets": replace(made_up(dataset="both"), stage="AD", epochs=250),
    "a second look": made_up(SUPPORTED, DECIDED, reading(level=0.975), second=True),
    "from a commit": made_up(UNDECIDED, INTERIM, reading(n=2), commit="c0ffee9"),
}
EFFECTS = (
    reading(), reading(-0.5), reading(level=0.978), reading(n=1), reading(-0.5, n=2),
    reading(n=2, level=0.978), reading(math.log(2), unit="ratio", back=math.exp),
    reading(math.log(3), unit="ratio", back=math.exp, error=0.6),
    reading(math.log(3), 1, unit="ratio", back=math.exp),
    reading(math.atanh(0.3), unit="rank correlation", back=math.tanh),
    Reading("a − b", "pp", None, 0, 6),
)  # fmt: skip


def test_the_words_for_every_kind_of_verdict(snapshot):
    """Renewed by: pytest tests/pages/test_phrases.py --snapshot-update"""
    found = {}
    for name, verdict in KINDS.items():
        found[name] = {
            "phrase": verdict_phrase(verdict),
            "where": setting_label(verdict),
            "would decide": what_would_decide([verdict]),
            "measured": measured_line([verdict]),
            "decided": decided_line([verdict]),
            "standing": standing([verdict]),
        }
    assert {"verdicts": found, "effects": [effect(one) for one in EFFECTS]} == snapshot


def test_the_words_for_whole_stages(finished, begun, snapshot):
    """Complete with outcomes of both kinds, begun, and without runs."""
    found = {}
    for stage, judged in (("finished", finished), ("begun", begun), ("none", verdicts({}))):
        for claim in ("1", "2", "4", "5", "7a", "20"):
            told = of(judged, claim)
            found[f"{stage}, {claim}"] = {
                "where": decided_where(told, overall(told)),
                "would decide": what_would_decide(told),
                "measured": measured_line(told),
                "decided": decided_line(told),
            }
    assert found == snapshot


# --- A claim -------------------------------------------------------------------------------------


def test_evidence_names_every_place_that_has_runs(finished, begun):
    text = evidence_line(of(finished, "4"))  # and stage A has none
    assert text.index(f"{FASHION}: contradicted") < text.index(f"{CIFAR}: supported")
    assert "250 epochs" not in text and text.endswith(" pp (paper −0.85)")
    halves = evidence_line([*of(finished, "7a"), *of(finished, "7b")])
    assert halves.count("(7a): supported") == halves.count("(7b): supported") == 2
    assert evidence_line(of(begun, "4", "fashion_mnist")).endswith(" pp, too few runs")


def test_places_of_an_outcome(finished, begun):
    """Those whose runs are in, with their halves and what is open there."""
    assert overall(of(finished, "20")) == MIXED
    halves = [*of(finished, "7a"), *of(finished, "7b")]
    assert decided_where(halves, SUPPORTED).count("; ") == 3
    assert decided_where(of(begun, "4"), UNDECIDED) == ""
    places = [made_up(NO_DIFFERENCE), made_up(UNDECIDED, dataset="fashion_mnist")]
    assert decided_where(places, NO_DIFFERENCE) == f"({CIFAR}; {FASHION}: undecided)"
    assert decided_where(places[1:], UNDECIDED) == f"({FASHION}, at its look)"
    assert decided_where([made_up(SUPPORTED, INTERIM)], SUPPORTED) == ""


# --- The looks at claim 2 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seeds", "gain", "noise", "look"),
    [
        ((0, 1, 2), 2.0, 0.05, 0),
        ((0, 1, 2, 3, 4), 2.0, 0.05, 4),
        ((0, 1, 2, 3), 0.1, 1.5, 4),
        (range(7), 0.1, 1.5, 6),
        (range(8), 0.1, 1.5, 8),
        # Seed 3 is still being made, so the first four are not in.
        ((0, 1, 2, 4, 5), 2.0, 0.05, 0),
    ],
)
def test_looks(tmp_path, seeds, gain, noise, look, snapshot):
    """The line, and an interval at the level of the look, once the first is made."""
    runs = read(
        tmp_path, "anchor", seeds=range(8), noise=noise,
        accuracy=lambda dataset, of: 80.0 + gain * (of.method == "principal_components"),
        keep=lambda s: (
            s.method in ("glorot_uniform", "principal_components") and s.seed in seeds
        ),
    )  # fmt: skip
    (verdict,) = of(verdicts(runs), "2")
    assert looks_line(verdict) == snapshot and verdict.n == len(seeds)
    assert effect(verdict.readings[0]).endswith(" at 97.8 %") == (look > 0)
    used = look or len(seeds)  # what its interval rests on
    assert measured_line([verdict]).endswith(f"n\N{NO-BREAK SPACE}= {used}") or used < 3


# --- Which runs ----------------------------------------------------------------------------------


def glorot(settings):
    return settings.method == "glorot_uniform" and settings.dataset == "cifar10"


def test_runs_beyond_the_planned_ones_make_no_stage_complete(tmp_path):
    """Eight runs of Glorot, of 21 in all: two of them are registered for claim 2's third look."""
    runs = read(tmp_path, "anchor", seeds=range(8), keep=lambda s: s.method == "glorot_uniform")
    assert stage_line(stage_by_letter("A", runs, "fashion_mnist")) == {
        "data set": "Fashion-MNIST", "epochs": "250", "training images": "all", "stage": "A",
        "runs": "6 of 21", "seeds": "8", "state": "interim",
    }  # fmt: skip


def test_a_complete_stage(tmp_path):
    line = stage_line(stage_by_letter("C", read(tmp_path, "null"), "cifar10"))
    told = line["epochs"], line["stage"], line["runs"], line["state"]
    assert told == ("3", "C", "8 of 8", "complete")


def test_runs_that_diverged_are_reported(tmp_path):
    on = stage_by_letter("C", read(tmp_path, "null", keep=glorot), "cifar10")
    first, *others = on.arms
    broken = (replace(first.results[0], diverged=True), *first.results[1:])
    arms = (Arm(first.key, first.dataset, broken), *others)
    line = stage_line(replace(on, runs=replace(on.runs, arms=arms)))
    assert line["runs"] == "4 of 8"
    assert line["state"] == "interim; 1 ended early, the loss was not finite"


def test_runs_outside_the_protocol(tmp_path):
    runs = read(tmp_path, "paper", seeds=range(1), keep=glorot)["paper"]
    line = stage_line(Stage(runs, STUDIES["paper"], "cifar10"))
    assert (line["stage"], line["state"]) == ("none", "not registered, decides nothing")


# --- For machines --------------------------------------------------------------------------------


def test_records_are_plain_values(finished, begun):
    for found in (finished, begun, verdicts({})):
        entries = json.loads(json.dumps(verdict_record(found), allow_nan=False))
        assert len(entries) == len(found)
        for entry, verdict in zip(entries, found, strict=True):
            assert (entry["claim"], entry["state"], entry["outcome"]) == (
                verdict.claim, verdict.state, verdict.outcome,
            )  # fmt: skip
            for part in entry["parts"]:
                if part["n"] < 3:
                    assert part["interval"] is None
                elif entry["claim"] != "10":  # a perfect order has no spread
                    assert part["interval"][0] < part["estimate"] < part["interval"][1]
                assert (part["estimate"] is None) == (part["n"] == 0)
                told = verdict.state in (DECIDED, DECLARED) and part["n"] > 0
                assert (part["reads"] is not None) == told


def test_a_record_by_hand():
    size = reading(0.123456, paper=0.09, predicted=reading(0.1).interval, needed=(90, 60, 150))
    (entry,) = verdict_record([made_up(SUPPORTED, DECIDED, size)])
    (part,) = entry.pop("parts")
    assert entry == {
        "claim": "9", "dataset": "cifar10", "stage": "B", "epochs": 30, "outcome": "supported",
        "state": "decided", "n": 6, "n_registered": 6, "measures_disagree": False,
        "outcome_by_responses": None, "by_responses": [],
    }  # fmt: skip
    assert part == {
        "compared": "a − b", "unit": "pp", "estimate": 0.1235, "interval": [-0.1071, 0.3541],
        "level": 0.95, "n": 6, "n_registered": 6, "reads": UNDECIDED, "paper": 0.09,
        "compatible": True, "pairs_needed": [90, 60, 150],
    }  # fmt: skip
    wide = reading(math.log(3), unit="ratio", back=math.exp, error=0.6)
    (entry,) = verdict_record([made_up(UNDECIDED, DECIDED, wide)])
    assert entry["parts"][0]["interval"] is None and entry["parts"][0]["estimate"] == 3.0
