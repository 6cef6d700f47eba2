"""The filter explorer: an interactive figure as one piece of HTML that fetches nothing.

`explorer.js` and `explorer.css` beside this module draw it; here the data are checked, packed and
written into it, with a still picture for readers without scripts.
"""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

# ColorBrewer's RdBu from blue to red: the stops of matplotlib's RdBu_r.
BLUE_TO_RED = [
    *("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7"),
    *("#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"),
]
FRAGMENT = """<div class="filter-explorer" id="{uid}"><style>{css}</style>\
<noscript>{still}</noscript>
<div class="app" role="group" aria-label="Filter explorer" hidden>
<div class="menus"><label>Data set <select data-key="dataset" autocomplete="off"></select></label>
<label>Method <select data-key="method" autocomplete="off"></select></label>
<label>Norm at the start <select data-key="norm" autocomplete="off"></select></label></div>
<div class="time"><button type="button" class="play"></button>
<input type="range" min="0" value="0" autocomplete="off" aria-label="Epoch">\
<output aria-live="off"></output></div>
<div class="parts"><div class="left"><div class="bank" role="img"></div><p class="scale"></p></div>
<div class="right"><svg class="plot" role="img" viewBox="0 0 360 276"></svg>
<label class="log"><input type="checkbox" autocomplete="off" checked>\
 logarithmic distance axis</label></div></div>
<p class="summary" role="status"></p></div>
<script type="application/json">{data}</script><script>{js}</script></div>"""


@dataclass(frozen=True, eq=False)
class ExplorerBank:
    """The first layer of one training run: E epochs, S snapshots, F filters.

    Parameters
    ----------
    dataset, method, norm : str
        What the menus call the run; no two runs share all three.
    color : str
        The method's, as "#rrggbb".
    epochs : array of int, shape (S,)
        When the snapshots were taken: increasing from 0, the start, to E at most; S >= 2.
    filters : array of shape (S, F, C, k, k)
        C = 1 or 3.
    distances : array of shape (E + 1, F)
        Cosine distance of each filter from its start after each epoch, 0 to 2.
    null, null_band : arrays of shape (E + 1,) and (E + 1, 2)
        Distance expected of noise alone, and the lower and upper end of its band.
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
        for name in ("epochs", "filters", "distances", "null", "null_band"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        epochs, shape, rows = self.epochs, self.filters.shape, self.null.size
        if not re.fullmatch("#[0-9a-fA-F]{6}", self.color):
            raise ValueError(f"color={self.color!r} should be written as '#rrggbb'")
        if len(shape) != 5 or shape[2] not in (1, 3) or shape[3] != shape[4]:
            raise ValueError(
                f"filters have shape {shape}; expected (S, F, C, k, k) with C = 1 or 3"
            )
        if not np.isfinite(self.filters).all():
            raise ValueError(
                "filters hold NaN or infinity; leave out the snapshots of a run that diverged"
            )
        expected = {
            "epochs": shape[:1],
            "distances": (rows, shape[1]),
            "null": (rows,),
            "null_band": (rows, 2),
        }
        for name, size in expected.items():
            values = getattr(self, name)
            if values.shape != size:
                raise ValueError(
                    f"{name} has shape {values.shape}; "
                    f"{size} goes with the shapes of filters and null"
                )
            if (
                name != "epochs" and not ((values >= -1e-6) & (values <= 2 + 1e-6)).all()
            ):  # NaN neither
                raise ValueError(
                    f"{name} runs from {values.min():.3g} to {values.max():.3g}; "
                    "a cosine distance is 0 to 2 "
                    "(NaN is that of a zero filter: leave the filter out)"
                )
        rising = epochs.dtype.kind in "iu" and len(epochs) >= 2 and (np.diff(epochs) > 0).all()
        if not rising or epochs[0] != 0 or epochs[-1] >= rows:
            raise ValueError(
                f"epochs={epochs.tolist()} should be whole numbers, "
                f"rising from 0 to E={rows - 1} at most"
            )
        if (self.null_band[:, 0] > self.null_band[:, 1]).any():
            raise ValueError("null_band has a lower end above the upper one; swap its columns")


def explorer_html(banks: list[ExplorerBank], *, still_alt: str, uid: str = "explorer") -> str:
    """An HTML fragment that shows banks of filters and their distances, epoch by epoch.

    Parameters
    ----------
    banks : list of ExplorerBank
        In the order of the menus; the first is shown first.
    still_alt : str
        Describes the picture that stands in where scripts are off: the first bank at its start and
        at its end.
    uid : str
        Id of the fragment on its page; another one for each explorer there.

    Returns
    -------
    str
        For ``IPython.display.HTML``.
    """
    if not banks:
        raise ValueError("banks is empty; give at least one ExplorerBank")
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]*", uid):
        raise ValueError(f"uid={uid!r} should be a letter followed by letters, digits, - or _")
    if not still_alt.strip():
        raise ValueError(
            "still_alt is empty; describe the still picture for those who do not see it"
        )
    names = [(bank.dataset, bank.method, bank.norm) for bank in banks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(
            f"two banks are called {twice}; tell them apart by dataset, method or norm"
        )
    data = json.dumps(
        {"colors": [_rgb(c) for c in BLUE_TO_RED], "banks": [_packed(bank) for bank in banks]}
    )
    data = data.replace("<", "\\u003c")  # no label ends the script
    css, js = (
        files(__package__).joinpath(f"explorer.{kind}").read_text(encoding="utf-8")
        for kind in ("css", "js")
    )
    return FRAGMENT.format(uid=uid, css=css, js=js, data=data, still=_still(banks[0], still_alt))


def _packed(bank: ExplorerBank) -> dict:
    """A bank as JSON: filters as int8 in steps of its own for each snapshot, curves as uint16.

    The curves are the distances, the null and its band, (E + 1, F + 3); what is stored is the
    square root, so that small distances keep their digits.
    """
    peaks = np.abs(bank.filters).max(axis=(1, 2, 3, 4))
    steps = np.array([float(f"{peak / 127:.6g}") or 1.0 for peak in peaks])
    curves = np.column_stack([bank.distances, bank.null, bank.null_band]).clip(0, 2)
    labels = {name: getattr(bank, name) for name in ("dataset", "method", "norm", "color")}
    return labels | {
        "epochs": bank.epochs.tolist(),
        "shape": bank.filters.shape[1:],
        "steps": steps.tolist(),
        "filters": _base64(np.rint(bank.filters / steps[:, None, None, None, None]), "int8"),
        "curves": _base64(np.rint(np.sqrt(curves / 2) * 65535), "<u2"),
    }


def _base64(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode()


def _rgb(color: str) -> list[int]:
    return list(bytes.fromhex(color[1:]))


def _still(bank: ExplorerBank, alt: str) -> str:
    """The bank at its first and last snapshot, one above the other, as SVG."""
    n, channels, k = bank.filters.shape[1:4]
    shown = (
        (bank.filters[[0, -1]] / (np.abs(bank.filters[0]).max() or 1))
        .clip(-1, 1)
        .transpose(0, 1, 3, 4, 2)
    )
    if channels == 3:
        pixels = (shown + 1) * 127.5  # (2, F, k, k, 3)
    else:
        stops = np.array([_rgb(c) for c in BLUE_TO_RED])
        pixels = np.stack(
            [np.interp(shown[..., 0], np.linspace(-1, 1, len(stops)), stop) for stop in stops.T],
            axis=-1,
        )
    side, high = (
        8 * k + 6,
        -(-n // 9) * (8 * k + 6) + 20,
    )  # 8 units a weight, 6 between filters, 9 in a row
    parts = []
    for block, title in enumerate(("start", f"after epoch {bank.epochs[-1]}")):
        parts.append(f'<text x="0" y="{block * high + 10}">{title}</text>')
        for f, y, x in np.ndindex(n, k, k):
            color = bytes(np.rint(pixels[block, f, y, x]).astype(np.uint8)).hex()
            corner = f"{f % 9 * side + 8 * x} {block * high + 15 + f // 9 * side + 8 * y}"
            parts.append(f'<path fill="#{color}" d="M{corner}h8v8h-8z"/>')
    svg = (
        f'<svg class="still" role="img" aria-label="{html.escape(alt)}" '
        f'viewBox="0 0 {9 * side} {2 * high}">'
    )
    return (
        f"<p>{html.escape(f'{bank.dataset}, {bank.method}, norm {bank.norm}')}</p>"
        f"{svg}{''.join(parts)}</svg>"
    )
