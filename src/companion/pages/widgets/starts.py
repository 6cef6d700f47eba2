"""Ways to start a layer, from the start of training to its end, and how far the networks ended."""

from __future__ import annotations

import html
from dataclasses import dataclass

import torch
from torch import Tensor

from ...intervals import Interval
from .drag import drag, packed


@dataclass(frozen=True, eq=False)
class Start:
    """One way to start, or a run that began so.

    `epochs` are those of the snapshots, from 0, the start; `filters` have shape (S, F, C, k, k),
    C = 1 or 3. `lead` is what the networks' final accuracy is above Glorot's, in percentage points;
    None without runs, or for Glorot itself; with too few, it is not shown.
    """

    name: str
    epochs: tuple[int, ...]
    filters: Tensor
    lead: Interval | None = None


def starts_html(starts: list[Start], *, place: str) -> str:
    """Choose a start: its filters at norm 1, epoch by epoch, and its lead beside the others'.

    `place` says of what runs the leads are.
    """
    shapes = {tuple(start.filters.shape[1:]) for start in starts}
    if len(shapes) != 1:
        raise ValueError(f"starts have filters of shapes {sorted(shapes)}; one is wanted")
    (shape,) = shapes
    snapshots = torch.cat([start.filters.float() for start in starts])
    norms = snapshots.flatten(2).norm(dim=2)[..., None, None, None]
    unit = snapshots / norms.where(norms > 0, 1.0)
    peak = float(f"{unit.abs().flatten().quantile(0.995):.2g}") or 1.0
    data = {
        "starts": [_listed(start) for start in starts],
        "place": place,
        "peak": peak,
        "sides": shape[1:],
        "bank": packed(unit.clamp(-1, 1), bits=8),
    }
    return drag("starts", "Starts, from the first epoch to the last", data, still=_table(starts))


def _listed(start: Start) -> dict:
    found: dict = {"name": start.name, "epochs": list(start.epochs)}
    found["few"] = bool(start.lead and not start.lead.shown)
    if start.lead and start.lead.shown:
        lead = start.lead
        found["lead"] = [round(v, 2) for v in (lead.low, lead.estimate, lead.high)]
        found["pairs"] = lead.n
    return found


def _table(starts: list[Start]) -> str:
    """The leads, for readers without scripts."""
    rows = "".join(
        f"<tr><td>{html.escape(start.name)}</td>"
        f"<td>{f'{start.lead:+.2f}' if start.lead and start.lead.shown else ''}</td></tr>"
        for start in starts
    )
    return (
        "<table><caption>Final accuracy minus that of Glorot's start, in percentage points"
        "</caption><thead><tr><th>start</th><th>difference</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
