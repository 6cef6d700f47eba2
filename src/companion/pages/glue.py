"""What every chapter needs to put its numbers and verdicts into its text."""

from __future__ import annotations

from IPython.core.formatters import format_display_data
from IPython.display import display

from patchinit.data.images import Images

from ..claims import MIXED, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from .parameters import not_the_case


def glue_values(**values: object) -> None:
    """Keep numbers and words for the text of the page, which shows them by the role `glue`."""
    for key, value in values.items():
        _glue(key, value.item() if hasattr(value, "item") else value)


def _glue(name: str, value: object) -> None:
    """What MyST-NB's `glue` does, without MyST-NB, whose kernel would replace Colab's own."""
    prefix = "application/papermill.record/"
    data, metadata = format_display_data(value)
    metadata["scrapbook"] = {"name": name, "mime_prefix": prefix}
    display({prefix + mime: part for mime, part in data.items()}, raw=True, metadata=metadata)


def glue_verdict(sample: Images, claim: int, holds: bool | str | None, evidence: str) -> None:
    """Keep a claim's verdict by its chapter's bound, and what it rests on.

    Parameters
    ----------
    sample : Images
        That it was computed from. Stand-ins, a folder of one's own, or fewer images than the paper
        has are not the claim's case: they decide nothing, and the evidence begins with that.
    claim : int
    holds : bool, MIXED or None
        MIXED where reasonable choices give unlike answers; None decides nothing.
    evidence : str
    """
    found = MIXED if holds == MIXED else SUPPORTED if holds else NOT_SUPPORTED
    if holds is None:
        found = UNDECIDED
    if other := not_the_case(sample):
        found, evidence = UNDECIDED, f"Not this claim's case: {other}. {evidence}"
    glue_values(**{f"claim_{claim}_verdict": found, f"claim_{claim}_evidence": evidence})


def prediction_outcome(*parts: bool) -> str:
    """How a reading begins: did each part of what the book predicted come out?"""
    if all(parts):
        return "As the book expected"
    return ("Only in part as" if any(parts) else "Not as") + " the book expected"


def glue_prediction(number: int, *parts: bool | None) -> None:
    """Keep how the book's prediction of this number on its page came out, part by part.

    As ``prediction_N``, which begins a sentence, and ``prediction_N_is``: right, in part, wrong, or
    open if a part is None because the runs that it speaks of are not in.
    """
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        word, text = "open", "It is too early to judge what the book expected"
    else:
        word = "right" if all(known) else "in part" if any(known) else "wrong"
        text = prediction_outcome(*known)
    glue_values(**{f"prediction_{number}": text, f"prediction_{number}_is": word})
