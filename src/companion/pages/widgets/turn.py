"""How far one step turns a filter, by the filter's norm."""

from __future__ import annotations

import math

import numpy as np

from .drag import drag

APP = """
<div class="time"><input type="range" min="0" max="240" step="1" autocomplete="off" \
aria-label="Norm of the filter"><output aria-live="off"></output></div>
<p class="buttons"></p>
<div class="parts"><svg class="turns" role="img" viewBox="0 0 360 184"></svg>
<svg class="chart" role="img" viewBox="0 0 360 236"></svg></div>
<p class="summary" role="status"></p>"""


def turn_html(marks: dict[str, float], *, step: float = 0.25, uid: str = "turn") -> str:
    """How far one step at right angles turns a filter, by its norm, under SGD and under Adam.

    Parameters
    ----------
    marks : dict of str to float
        Norms that a button leads to, from 0.25 to 4, by what the button says.
    step : float
        Length of the step at norm 1, above 0, in both. Adam's stays as long at every norm; SGD's is
        divided by the norm.
    uid : str
        As for `window_html`.

    Raises
    ------
    ValueError
        A mark out of bounds, or a step that is not above 0.
    """
    low, high = 0.25, 4.0
    for name, norm in marks.items():
        if not low <= norm <= high:
            raise ValueError(f"marks[{name!r}]={norm} should be between {low} and {high}")
    if step <= 0:
        raise ValueError(f"step={step} should be > 0: the step's length at norm 1")
    data = {"low": low, "high": high, "step": step, "marks": list(marks.items())}
    still = _table(low, high, step)
    return drag("turn", "Norm and angle", APP, data, still=still, uid=uid)


def _table(low: float, high: float, step: float) -> str:
    """A table of the angles."""
    rows = [
        "<tr><td>{:g}</td><td>{:.1f}°</td><td>{:.1f}°</td></tr>".format(
            norm, *(math.degrees(math.atan(step / norm**power)) for power in (2, 1))
        )
        for norm in np.geomspace(low, high, 5).tolist()
    ]
    return (
        f"<table><caption>Angle by which one step turns a filter, if it is {step:g} long at norm 1"
        "</caption><thead><tr><th>norm</th><th>SGD</th><th>Adam</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
