"""The filter explorer: its data, and a still picture for readers without scripts."""

import base64
import html
import io
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure

from ..pictures import filter_grid
from ..widgets.fragment import as_base64, fragment, source


@dataclass(frozen=True, eq=False)
class ExplorerBank:
    """The first layer of one training run: E epochs, S snapshots, F filters.

    `epochs` (S,) are those of the snapshots, from 0, the start, to E at most; S >= 2. The filters
    have shape (S, F, C, k, k), C = 1 or 3. `distances` (E + 1, F) are cosine distances from the
    start; `null` (E + 1,) and `null_band` (E + 1, 2) what noise alone would give, and its bounds.
    No two runs share data set, method and norm, which the menus show. `color` is "#rrggbb".
    """

    dataset: str
    method: str
    norm: str
    color: str
    epochs: np.ndarray
    filters: np.ndarray
    distances: np.ndarray
    null: np.ndarray
    null_band: np.ndarray

    def __post_init__(self) -> None:
        (n_snapshots, n_filters), rows = self.filters.shape[:2], len(self.null)
        shapes = (n_snapshots,), (rows, n_filters), (rows, 2)
        for name, shape in zip(("epochs", "distances", "null_band"), shapes, strict=True):
            found = getattr(self, name).shape
            if found != shape:
                wanted = f"{shape} goes with the shapes of filters and null"
                raise ValueError(f"{name} has shape {found}; {wanted}")


def explorer_html(banks: list[ExplorerBank], *, still_alt: str) -> str:
    """An HTML fragment that shows banks of filters and their distances, epoch by epoch.

    Every filter is shown at norm 1, for only its direction matters behind batch normalisation, and
    all banks of a data set on one scale of colours, so that they can be compared. `still_alt`
    describes what stands in where scripts are off: the first bank's start and end.
    """
    names = [(bank.dataset, bank.method, bank.norm) for bank in banks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"two banks are called {twice}; give them another dataset, method or norm")
    scales = {name: _scale([b for b in banks if b.dataset == name]) for name, *_ in names}
    return fragment(
        "filter-explorer",
        "Filter explorer",
        source(__package__, "explorer.html"),
        {"banks": [_packed(bank, scales[bank.dataset]) for bank in banks]},
        still=_still(banks[0], scales[banks[0].dataset], still_alt),
        css=source(__package__, "explorer.css"),
        js=source(__package__, "explorer.js"),
    )


def _unit(filters: np.ndarray) -> np.ndarray:
    """The same filters, (..., C, k, k), at norm 1; zeros stay zeros."""
    norms = np.linalg.norm(filters.reshape(*filters.shape[:-3], -1), axis=-1)
    return filters / np.where(norms > 0, norms, 1)[..., None, None, None]


def _scale(banks: list[ExplorerBank]) -> float:
    """Weight at the ends of the colour scale: of the filters at norm 1, few are larger."""
    weights = np.concatenate([np.abs(_unit(bank.filters)).ravel() for bank in banks])
    return float(f"{np.quantile(weights, 0.995):.2g}") or 1.0


def _packed(bank: ExplorerBank, scale: float) -> dict:
    """A bank as JSON: filters at norm 1 as int8 in steps of 1 / 127, curves as uint16.

    The curves are the distances, the null and its band, (E + 1, F + 3); what is stored is the
    square root, so that small distances keep their digits.
    """
    curves = np.column_stack([bank.distances, bank.null, bank.null_band]).clip(0, 2)
    labels = {name: getattr(bank, name) for name in ("dataset", "method", "norm", "color")}
    return labels | {
        "epochs": bank.epochs.tolist(),
        "shape": bank.filters.shape[1:],
        "scale": scale,
        "filters": as_base64(np.rint(127 * _unit(bank.filters)), "int8"),
        "curves": as_base64(np.rint(np.sqrt(curves / 2) * 65535), "<u2"),
    }


def _still(bank: ExplorerBank, scale: float, alt: str) -> str:
    """The bank at its first and last snapshot, one above the other."""
    figure = Figure(figsize=(4.2, 4.2 * -(-len(bank.filters[0]) // 9) * 2 / 9 + 1.2), dpi=100)
    for ax, filters, epoch in zip(
        figure.subplots(2), _unit(bank.filters[[0, -1]]), (0, -1), strict=True
    ):
        title = f"after epoch {bank.epochs[epoch]}" if epoch else "start"
        filter_grid(torch.as_tensor(filters), ax=ax, n_cols=9, scale=scale, title=title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight")
    data = base64.b64encode(picture.getvalue()).decode()
    caption = html.escape(f"{bank.dataset}, {bank.method}, norm {bank.norm}")
    return (
        f'<figure class="still"><img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
