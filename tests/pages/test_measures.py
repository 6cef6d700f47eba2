"""Claims 7 and 8 by both measures: what is said belongs to what was measured."""

import math
from dataclasses import replace

import pytest

from companion.claims import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from companion.evidence.judge import DECIDED, INTERIM, Reading, Verdict
from companion.intervals import Estimate
from companion.pages.measures import how_far, measure_rows, times, two_measures


def reading(other, value, outcome, n=6):
    estimate = Estimate(math.log(value), 0.05, n - 1, n, math.exp)
    return Reading(f"Glorot uniform / {other}", "ratio", estimate, n, 6, outcome)


def verdict(outcome, *parts, state=DECIDED, beside=None, n=6):
    """Of two parts, each (value, outcome)."""
    names = ("principal components", "k-means")
    readings = tuple(reading(name, *part, n=n) for name, part in zip(names, parts, strict=True))
    return Verdict("7a", "cifar10", "B", 30, outcome, state, readings, beside)


SAME = verdict(NOT_SUPPORTED, (1.0, NOT_SUPPORTED), (4.0, SUPPORTED))
OTHER_PART = verdict(NOT_SUPPORTED, (3.0, SUPPORTED), (0.9, NOT_SUPPORTED))
BOTH = verdict(SUPPORTED, (3.0, SUPPORTED), (2.0, SUPPORTED))


@pytest.mark.parametrize(
    ("ours", "beside", "said"),
    [
        (BOTH, None, ""),
        (replace(BOTH, state=INTERIM), SAME, ""),
        (BOTH, BOTH, "Responses give the same verdict, supported."),
        (BOTH, SAME, "would say not supported: what falls short is Glorot / components (1.00 ["),
        (SAME, BOTH, "would say supported: both parts hold."),
        (OTHER_PART, SAME, "cosine distance: Glorot / k-means (0.90 [0.79, 1.02]); by responses: "),
    ],
)
def test_what_responses_make_of_a_verdict(ours, beside, said):
    text = two_measures(replace(ours, beside=beside))
    assert said in text and bool(said) == bool(text)


def test_an_open_part_is_named_only_where_none_speaks_against_the_claim():
    undecided = verdict(UNDECIDED, (1.3, UNDECIDED), (3.0, SUPPORTED), beside=SAME)
    assert "what falls short is Glorot / components" in two_measures(undecided)
    mixed = verdict(NOT_SUPPORTED, (1.3, UNDECIDED), (0.9, NOT_SUPPORTED), beside=SAME)
    assert "cosine distance: Glorot / k-means (0.90" in two_measures(mixed)


def test_rows_stand_for_parts_with_three_pairs_and_hold_both_ratios():
    rows = measure_rows([replace(BOTH, beside=SAME), verdict(*("x", (2, ""), (2, "")), n=2)])
    assert [row["compared"] for row in rows] == ["Glorot / components", "Glorot / k-means"]
    assert {row["claim"].replace("\N{NO-BREAK SPACE}", " ") for row in rows} == {"7a, n = 6"}
    first = rows[0]
    assert (first["verdict"], first["by responses"]) == (SUPPORTED, NOT_SUPPORTED)
    assert first["cosine"].startswith("3.00 [") and first["responses"].startswith("1.00 [")
    alone = measure_rows([BOTH])[0]
    assert (alone["by responses"], alone["responses"]) == ("", "")


def test_numbers_in_words():
    assert times(None) == times(Estimate(0.0, 0.1, 1, 2, math.exp)) == ""
    assert how_far(Estimate(0.0, 0.1, 1, 2, math.exp), "as much") == "as much"
    assert how_far(Estimate(math.log(0.29), 0.1, 1, 2, math.exp)) == "71 % less"
