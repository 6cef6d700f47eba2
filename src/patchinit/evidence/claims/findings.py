"""The verdict on each claim that rests on training runs.

The rules were fixed before the runs were evaluated. Two are exceptions, set after the reduced
runs had been seen and before any full one: that of claim 26, and the trained part of claim 20.

Each rule gives one of three readings of whatever runs there are. From reduced runs the verdict is
"undecided" all the same: they are no test of a claim about full runs.
"""

from __future__ import annotations

from ..results import Runs
from .accuracy import accuracy_findings, basis_finding, label_finding, layer_finding
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
    """The findings on claims 1 to 11, 20 and 24 to 26, by number.

    Parameters
    ----------
    paper, norms, frozen, layers, labels : Runs or None
        As `patchinit.evidence.results.best_runs` gives them; None: nothing was collected.
    """
    return {
        finding.claim: finding
        for finding in (
            *accuracy_findings(paper),
            speed_finding(paper),
            *change_findings(paper, norms, frozen),
            basis_finding(paper),
            layer_finding(layers),
            label_finding(labels),
            simplicity_finding(paper),
        )
    }
