"""The comparison of chapters on two processors finds a verdict that turned."""

from companion.pages.extension.kept_values import kept_in
from tools.portable import differences


def notebook(**values):
    outputs = [
        {
            "metadata": {"scrapbook": {"name": name}},
            "data": {"application/papermill.record/text/plain": [repr(value)]},
        }
        for name, value in values.items()
    ]
    return {
        "cells": [
            {"cell_type": "markdown"},
            {"cell_type": "code", "outputs": [*outputs, {"name": "stdout"}]},
        ]
    }


def test_a_turned_verdict_is_told_from_a_last_digit():
    here = kept_in(notebook(claim_12_verdict="supported", inertia="5.38958", n=3))
    there = kept_in(notebook(claim_12_verdict="not supported", inertia="5.38998", n=3))
    verdicts, rest = differences(here, there)
    assert verdicts == [
        "claim_12_verdict: 'supported' here, 'not supported' held down"
    ] and rest == ["inertia"]
    assert differences(here, here) == ([], [])


def test_a_verdict_that_is_missing_counts():
    assert differences(kept_in(notebook(claim_1_verdict="supported")), {})[0]
