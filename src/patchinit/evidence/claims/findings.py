"""The verdict on each claim that rests on training runs.

The rules were fixed before the runs were evaluated. Two are exceptions, set after the reduced
runs had been seen and before any full one: that of claim 26, and the trained part of claim 20.

Each rule gives one of three readings of whatever runs there are. From reduced runs the verdict is
"undecided" all the same: they are no test of a claim about full runs.
"""

from __future__ import annotations

from ..results import Runs
from .accuracy import accuracy_findings, pair_finding
from .change import change_findings
from .rules import Finding
from .simplicity import simplicity_finding
from .speed import speed_finding


def findings(
    paper: Runs | None,
    norms: Runs | None = None,
    frozen: Runs | None = None,
    layers: Runs | None = None,
    labels: Runs | None = None,
) -> dict[int, Finding]:
    """What the runs say of every claim of book/claims.yml that rests on runs, by its number.

    Parameters
    ----------
    paper, norms, frozen, layers, labels : Runs or None
        As `patchinit.evidence.results.full_or_reduced_runs` gives them; None: nothing was
        collected.

    Examples
    --------
    >>> nothing = findings(None)
    >>> nothing[1].verdict, nothing[1].needed
    ('undecided', 'full runs')
    """
    return {
        finding.claim: finding
        for finding in (
            *accuracy_findings(paper),
            speed_finding(paper),
            *change_findings(paper, norms, frozen),
            pair_finding(20, paper),
            pair_finding(24, layers),
            pair_finding(25, labels),
            simplicity_finding(paper),
        )
    }
