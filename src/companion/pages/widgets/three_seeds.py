"""Three of the seeds at hand, drawn again and again: what a paper with three would have found."""

import html
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ...intervals import mean_interval
from .drag import drag, paragraph

LEAST = 4  # pairs: three are drawn, and there is more than one way


def three_seeds_html(differences: Mapping[str, ArrayLike]) -> str:
    """A button that draws three pairs of runs, their 95 % interval, and a tally of what it says.

    `differences` are those of the pairs, in percentage points, (n,), by the comparison's name.
    Comparisons with fewer than four pairs are left out; if none is left, a sentence says so.
    """
    enough = {name: np.asarray(v, dtype=float) for name, v in differences.items()}
    enough = {name: v for name, v in enough.items() if len(v) >= LEAST}
    if not enough:
        return paragraph(f"No comparison has {LEAST} pairs of runs yet, to draw three from.")
    comparisons = [
        {"name": name, "values": [round(value, 4) for value in values.tolist()]}
        for name, values in enough.items()
    ]
    t = {n: stats.t.ppf(0.975, n - 1) for n in {3, *map(len, enough.values())}}
    data = {"comparisons": comparisons, "t": t}
    return drag("three_seeds", "Draw three seeds", data, still=_table(enough))


def _table(differences: Mapping[str, np.ndarray]) -> str:
    """What every way to draw three would have said, for readers without scripts."""
    rows = []
    for name, values in differences.items():
        sides = [mean_interval(three).side() for three in combinations(values, 3)]
        cells = [html.escape(name), len(values), f"{mean_interval(values):+.2f}"]
        cells += [sides.count(side) for side in (1, -1, 0)]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    heads = ("comparison", "pairs", "all pairs (pp)", "above", "below", "can't tell")
    return (
        "<table><caption>What all ways to draw three of the pairs would have said</caption>"
        f"<thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"
    )
