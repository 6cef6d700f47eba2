"""How the book's predictions came out is counted from its chapters."""

import pytest

from companion.pages.extension.expect import NONE, came_out
from companion.pages.extension.predictions import Prediction, predictions, tally

BOX = ":::{expect} Does it %s?\n:book: 2\n:came: 1\n- yes\n- no\n\nThe second.\n:::\n"


def chapter(*words):
    cells = [{"cell_type": "markdown", "source": ["# Title\n"]}]
    cells += [{"cell_type": "markdown", "source": [BOX % word]} for word in words]
    return {"cells": [*cells, {"cell_type": "code", "source": [BOX % "code"]}]}


def test_boxes_and_outcomes_are_matched_in_order():
    kept = {"prediction_2_is": "'wrong'", "prediction_1_is": "'right'", "prediction_1": "'As'"}
    found, problems = predictions("p", chapter("turn", "end"), kept)
    assert not problems and found == [
        Prediction("p", "Title", "Does it turn?", "right", book=2, came=2),
        Prediction("p", "Title", "Does it end?", "wrong", book=2, came=1),
    ]


@pytest.mark.parametrize(
    ("outcome", "named", "came"),
    [("right", 1, 2), ("in part", 2, 2), ("in part", 1, 1), ("wrong", NONE, NONE),
     ("wrong", None, None), ("open", 1, None)],
)  # fmt: skip
def test_what_came_out_is_the_books_option_or_the_named_one(outcome, named, came):
    assert came_out(outcome, 2, named) == came


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        ({}, "p: prediction 1 has a box and no outcome"),
        (
            {"prediction_1_is": "'right'", "prediction_2_is": "'open'"},
            "p: prediction 2 has an outcome and no box",
        ),
    ],
)
def test_one_without_the_other_is_named(kept, problem):
    found, problems = predictions("p", chapter("turn"), kept)
    assert problems == [problem] and len(found) == len(kept) // 2


def test_the_sentence_counts_each_kind():
    words = ["right"] * 3 + ["wrong"] + ["open"] * 2
    found = [Prediction("p", "t", "q", word) for word in words]
    assert tally(found) == "Of 6 predictions, 3 came out, 1 did not and 2 cannot be judged yet."
    assert tally(found[:3]) == "Of 3 predictions, 3 came out."
    assert tally([]) == "No prediction is in this build."
