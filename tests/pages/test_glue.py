"""What a chapter keeps for its page is what MyST-NB's own function keeps."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from companion.claims import MIXED, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from companion.pages.glue import glue_prediction, glue_values, glue_verdict, prediction_outcome
from patchinit.data import load_images


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    "value", [3, -0.5, True, "not decided yet", None, [1, 2], pd.DataFrame({"a": [1, 2]})]
)
def test_as_myst_nb(shell, value):
    theirs = pytest.importorskip("myst_nb").glue
    with capture_output() as expected:
        theirs("name", value, display=False)
    with capture_output() as found:
        glue_values(name=value)
    (one,), (other,) = expected.outputs, found.outputs
    assert (one.data, one.metadata) == (other.data, other.metadata) and other.data


def kept(captured):
    """The values that a chapter kept, by their names."""
    return {
        output.metadata["scrapbook"]["name"]: next(iter(output.data.values()))
        for output in captured.outputs
    }


def test_numbers_of_arrays_are_kept_as_numbers(shell):
    with capture_output() as found:
        glue_values(share=np.float64(0.25), n=np.int64(3))
    assert kept(found) == {"share": "0.25", "n": "3"}


@pytest.mark.parametrize(
    ("holds", "expected"),
    [(True, SUPPORTED), (False, NOT_SUPPORTED), (None, UNDECIDED), (MIXED, MIXED)],
)
def test_verdict(shell, holds, expected):
    data = replace(load_images("digits"), name="fashion_mnist")
    with capture_output() as found:
        glue_verdict(data, 12, holds, "0.5 pp")
    assert kept(found) == {"claim_12_verdict": repr(expected), "claim_12_evidence": "'0.5 pp'"}


@pytest.mark.parametrize("holds", [True, False, None, MIXED])
@pytest.mark.parametrize(
    "other", [{"stand_in_for": "fashion_mnist"}, {"name": "holiday"}, {"images": torch.ones(1)}]
)
def test_other_data_or_fewer_images_decide_nothing(shell, holds, other):
    data = replace(load_images("digits"), **({"name": "fashion_mnist"} | other))
    with capture_output() as found:
        glue_verdict(data, 12, holds, "0.5 pp")
    values = kept(found)
    assert values["claim_12_verdict"] == repr(UNDECIDED)
    assert re.fullmatch(r".Not this claim's case: .*\. 0\.5 pp.", values["claim_12_evidence"])


def test_a_prediction_that_fails_in_one_part_failed_in_part():
    words = [prediction_outcome(*parts) for parts in ((True, True), (True, False), (False, False))]
    assert [word.split(" the ")[0] for word in words] == ["As", "Only in part as", "Not as"]


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ((True, True), "right"),
        ((True, False), "in part"),
        ((False,), "wrong"),
        ((True, None), "open"),
    ],
)
def test_a_prediction_is_kept_as_a_word_that_can_be_counted(shell, parts, word):
    with capture_output() as found:
        glue_prediction(2, *parts)
    values = kept(found)
    assert values["prediction_2_is"] == repr(word) and values.keys() == {
        "prediction_2",
        "prediction_2_is",
    }
