"""How far one step turns a filter, by the filter's norm."""

import math

import numpy as np

from .drag import drag


def turn_html(marks: dict[str, float], *, step: float = 0.25) -> str:
    """How far one step at right angles turns a filter, by its norm, under SGD and under Adam.

    The step is `step` long at norm 1. Adam's stays so at every norm; SGD's is divided by the norm.
    `marks` are norms that a button leads to, from 0.25 to 4, by what the button says.
    """
    low, high = 0.25, 4.0
    for name, norm in marks.items():
        if not low <= norm <= high:
            raise ValueError(f"marks[{name!r}]={norm} should be between {low} and {high}")
    if step <= 0:
        raise ValueError(f"step={step} should be > 0: the step's length at norm 1")
    data = {"low": low, "high": high, "step": step, "marks": list(marks.items())}
    return drag("turn", "Norm and angle", data, still=_table(low, high, step))


def _table(low: float, high: float, step: float) -> str:
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
