"""What the book claims, and the words of its verdicts: a leaf that imports nothing of ours."""

from __future__ import annotations

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NO_DIFFERENCE, NOT_SUPPORTED = "no practical difference", "not supported"
UNDECIDED, DESCRIBED, MIXED = "undecided", "described", "mixed"
OUTCOMES = (SUPPORTED, CONTRADICTED, NOT_SUPPORTED, NO_DIFFERENCE, UNDECIDED, DESCRIBED)
#: Against a claim, the graver first.
ADVERSE = (CONTRADICTED, NOT_SUPPORTED, NO_DIFFERENCE)
