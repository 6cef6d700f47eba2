"""What every chapter needs to put its numbers and verdicts into its text."""

from __future__ import annotations

from collections.abc import Iterable

from IPython.core.formatters import format_display_data
from IPython.display import display

from ..data.images import Images
from ..evidence.claims.rules import NO, OPEN, YES, Finding


def say(**values: object) -> None:
    """Keep numbers and words for the text of the page, which shows them by the role `glue`."""
    for key, value in values.items():
        _glue(key, value.item() if hasattr(value, "item") else value)


def _glue(name: str, value: object) -> None:
    """What MyST-NB's `glue` does, without MyST-NB, whose kernel would replace Colab's own."""
    prefix = "application/papermill.record/"
    data, metadata = format_display_data(value)
    metadata["scrapbook"] = {"name": name, "mime_prefix": prefix}
    display({prefix + mime: part for mime, part in data.items()}, raw=True, metadata=metadata)


def verdict(data: Images, claim: int, holds: bool | None, evidence: str) -> None:
    """Keep a claim's verdict by the bound of its chapter.

    None is undecided, and stand-in data decide nothing.
    """
    found = OPEN if data.stand_in_for or holds is None else YES if holds else NO
    say(**{f"claim_{claim}_verdict": found, f"claim_{claim}_evidence": evidence})


def tell(findings: Iterable[Finding]) -> None:
    """Keep what the training runs say of some claims.

    As ``claim_N_verdict``, ``_reading``, ``_evidence`` and ``_needed``.
    """
    for finding in findings:
        parts = {
            name: getattr(finding, name) for name in ("verdict", "reading", "evidence", "needed")
        }
        say(**{f"claim_{finding.claim}_{name}": value for name, value in parts.items()})
