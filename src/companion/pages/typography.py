"""Negative numbers with a minus: what Python prints has a hyphen."""

import re

_HYPHEN = re.compile(r"(?<![\w.)])-(?=\.?\d)")


def proper_minus(text: str) -> str:
    """The text with a minus before its negative numbers; dates, ranges, exponents keep a hyphen.

    >>> proper_minus("-0.5 [-1.2, +0.2], seeds 0-2, 2026-11-25, 1e-05")
    '−0.5 [−1.2, +0.2], seeds 0-2, 2026-11-25, 1e-05'
    """
    return _HYPHEN.sub("\N{MINUS SIGN}", text)
