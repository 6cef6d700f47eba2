"""What a chapter keeps for its page is what MyST-NB's own function keeps."""

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from companion.pages.glue import as_expected, say


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
        say(name=value)
    (one,), (other,) = expected.outputs, found.outputs
    assert (one.data, one.metadata) == (other.data, other.metadata) and other.data


def test_numbers_of_arrays_are_kept_as_numbers(shell):
    with capture_output() as found:
        say(share=np.float64(0.25), n=np.int64(3))
    kept = [next(iter(output.data.values())) for output in found.outputs]
    assert kept == ["0.25", "3"]


def test_a_prediction_that_fails_in_one_part_failed_in_part():
    words = [as_expected(*parts) for parts in ((True, True), (True, False), (False, False))]
    assert [word.split(" the ")[0] for word in words] == ["As", "Only in part as", "Not as"]
