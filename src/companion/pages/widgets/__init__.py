"""Things to drag: small interactive figures, each one piece of HTML that fetches nothing.

The scripts beside this module draw them, each with what is in `common.js`; here the data are
checked and packed.
"""

from __future__ import annotations

import html
import math

import numpy as np
import torch
from torch import Tensor

from patchinit.filters.matching import match, principal_angles

from .fragment import as_base64, fragment, source

MOST_CENTRES = 8

WINDOW = """
<p><label>Filter <select autocomplete="off"></select></label></p>
<div class="parts"><div class="side"><b>image</b><div class="pad image" tabindex="0" \
role="application" aria-label="Image with a window on it: drag the window, or move it by the \
arrow keys"><canvas></canvas><div class="frame"></div></div></div>
<div class="side" aria-hidden="true"><b>responses</b><div class="pad map"><canvas></canvas>\
<div class="frame"></div></div></div>
<div class="numbers"></div></div>
<p class="summary" role="status"></p>"""
SAMPLE = """
<div class="time"><input type="range" min="0" step="1" autocomplete="off" \
aria-label="Images in the sample"><output aria-live="off"></output>
<button type="button" class="again">other images</button></div>
<div class="parts"><div class="pairs" role="img"></div>
<svg class="dial" role="img" viewBox="0 0 120 120"></svg></div>
<p>Above, the components of the sample; below each, the one of all images that it is matched with, \
and the magnitude of their cosine.</p>
<p class="summary" role="status"></p>"""
LLOYD = """
<p class="buttons"><label>Centres <select autocomplete="off"></select></label>
<button type="button" class="back">step back</button>
<button type="button" class="step">step</button>
<button type="button" class="rest">until rest</button>
<button type="button" class="again">another start</button></p>
<div class="pad plane" tabindex="0" role="application" aria-label="Points and numbered centres: \
drag a centre, or choose it by its number and move it by the arrow keys">\
<canvas width="640" height="640"></canvas><svg viewBox="0 0 320 320" aria-hidden="true"></svg></div>
<p class="summary" role="status"></p>"""
TURN = """
<div class="time"><input type="range" min="0" max="240" step="1" autocomplete="off" \
aria-label="Norm of the filter"><output aria-live="off"></output></div>
<p class="buttons"></p>
<div class="parts"><svg class="turns" role="img" viewBox="0 0 360 184"></svg>
<svg class="chart" role="img" viewBox="0 0 360 236"></svg></div>
<p class="summary" role="status"></p>"""
OWN = """
<div class="drop"><label>Photograph <input type="file" accept="image/*" autocomplete="off"></label>
<span>Choose one, or drop it here.</span></div>
<p class="summary" role="status"></p>
<div class="parts"><canvas class="photo" role="img" aria-label="The photograph" hidden></canvas>
<div class="pairs" role="img"></div></div>
<p class="below"></p>
<p><a download="components.csv" hidden>The components as a table (CSV)</a></p>"""


def window_html(
    image: Tensor,
    filters: dict[str, Tensor],
    *,
    start: tuple[int, int],
    still: str,
    uid: str = "window",
) -> str:
    """A window over an image: the patch, its product with a filter, and the response.

    Parameters
    ----------
    image : Tensor of shape (C, H, W)
        C = 1 or 3; uint8, or floats from 0 to 1, which are stored in 255ths.
    filters : dict of str to Tensor of shape (C, k, k)
        By their names in the menu; the first is shown first.
    start : pair of int
        Row and column of the window's upper left corner at the start.
    still : str
        What stands in where scripts are off.
    uid : str
        Id of the fragment on its page.

    Returns
    -------
    str
        For ``IPython.display.HTML``.

    Raises
    ------
    ValueError
        Another number of channels, filters of other shapes, or a start from which the window does
        not fit.

    Examples
    --------
    >>> edge = torch.tensor([-1.0, 0, 1]).expand(1, 3, 3)
    >>> page = window_html(torch.rand(1, 8, 8), {"edge": edge}, start=(0, 5), still="See above.")
    >>> "http" in page
    False
    """
    channels, height, width = image.shape
    if channels not in (1, 3):
        raise ValueError(f"image has C={channels} channels; only 1 or 3 can be shown")
    shapes = {tuple(weights.shape) for weights in filters.values()}
    shape = next(iter(shapes), ())
    if len(shapes) != 1 or len(shape) != 3 or shape[0] != channels or shape[1] != shape[2]:
        raise ValueError(
            f"filters have shapes {sorted(shapes)}; one shape ({channels}, k, k) is wanted"
        )
    room = height - shape[1], width - shape[1]
    if not all(0 <= place <= most for place, most in zip(start, room, strict=True)):
        raise ValueError(f"start={start} lies outside the places (0, 0) to {room} of the window")
    levels = image if image.dtype == torch.uint8 else (image * 255).round()
    data = {
        "shape": [channels, height, width],
        "image": as_base64(levels.numpy(), "u1"),
        "side": shape[1],
        "filters": [
            {"name": name, "weights": [float(f"{w:.6g}") for w in weights.flatten().tolist()]}
            for name, weights in filters.items()
        ],
        "start": list(start),
    }
    return _widget("window", "A window over an image", WINDOW, data, _text(still), uid)


def sample_size_html(
    reference: Tensor,
    samples: dict[int, list[Tensor]],
    *,
    leading: int,
    still: str,
    uid: str = "sample-size",
) -> str:
    """The components of samples of growing size, each beside its match among the reference's.

    Parameters
    ----------
    reference : Tensor of shape (F, C, k, k)
        The components of all images; C = 1 or 3.
    samples : dict of int to list of Tensor of shape (F, C, k, k)
        By the number of images, for each of equally many samples its components.
    leading : int
        How many leading components span the spaces whose largest angle is shown, 1 to F.
    still, uid : str
        As for `window_html`.

    Raises
    ------
    ValueError
        Other numbers of samples at different sizes, or `leading` out of bounds.

    Examples
    --------
    >>> bank = torch.eye(9).reshape(9, 1, 3, 3)
    >>> page = sample_size_html(bank, {1: [bank.flip(0)], 10: [bank]}, leading=2, still="Above.")
    >>> '"angles": [[90.0], [0.0]]' in page
    True
    """
    counts = {len(banks) for banks in samples.values()}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"samples holds {sorted(counts)} banks at a size; give equally many")
    if not 1 <= leading <= len(reference):
        raise ValueError(f"leading={leading} should be between 1 and F = {len(reference)}")
    order, agreement, angles = [], [], []
    for banks in samples.values():
        matched = [match(bank, reference, signed=False) for bank in banks]
        order.append([places.tolist() for places, _ in matched])
        agreement.append([[round(c, 3) for c in cosines.tolist()] for _, cosines in matched])
        wide = [principal_angles(bank[:leading], reference[:leading])[0].item() for bank in banks]
        angles.append([round(angle, 2) for angle in wide])
    every = torch.stack([reference, *(bank for banks in samples.values() for bank in banks)])
    data = {
        "sizes": list(samples),
        "leading": leading,
        "angles": angles,
        "order": order,
        "agreement": agreement,
        "bank": _packed(every, bits=8),
    }
    return _widget("sample", "Components by sample size", SAMPLE, data, _text(still), uid)


def lloyd_html(points: Tensor, start: Tensor, *, still: str, uid: str = "lloyd") -> str:
    """Lloyd's steps on points in the plane, computed in the browser.

    Parameters
    ----------
    points : Tensor of shape (n, 2)
        Stored in 32,767ths of the largest magnitude.
    start : Tensor of shape (K, 2)
        The first centres, 2 to 8; the reader may take others.
    still, uid : str
        As for `window_html`.

    Raises
    ------
    ValueError
        Other shapes, or fewer than 8 points.

    Examples
    --------
    >>> points = torch.rand(20, 2)
    >>> "http" in lloyd_html(points, points[:5], still="The figure above shows four steps.")
    False
    """
    for name, values, least, most in (
        ("points", points, MOST_CENTRES, math.inf),
        ("start", start, 2, MOST_CENTRES),
    ):
        if values.ndim != 2 or values.shape[1] != 2 or not least <= len(values) <= most:
            raise ValueError(
                f"{name} has shape {tuple(values.shape)}; (n, 2) with n from {least} to {most} "
                "is wanted"
            )
    step = float(f"{points.abs().max().item() / 32767:.6g}") or 1.0
    data = {
        "step": step,
        "points": as_base64(np.rint(points.numpy() / step).clip(-32767, 32767), "<i2"),
        "start": np.round(start.numpy().astype(float), 4).tolist(),
        "most": MOST_CENTRES,
    }
    return _widget("lloyd", "Lloyd's steps", LLOYD, data, _text(still), uid)


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

    Examples
    --------
    >>> "a component (1)" in turn_html({"a component (1)": 1.0})
    True
    """
    low, high = 0.25, 4.0
    for name, norm in marks.items():
        if not low <= norm <= high:
            raise ValueError(f"marks[{name!r}]={norm} should be between {low} and {high}")
    if step <= 0:
        raise ValueError(f"step={step} should be > 0: the step's length at norm 1")
    data = {"low": low, "high": high, "step": step, "marks": list(marks.items())}
    still = _turn_still(low, high, step)
    return _widget("turn", "Norm and angle", TURN, data, still, uid)


def your_image_html(
    reference: Tensor | None, *, leading: int = 7, name: str = "CIFAR-10", uid: str = "your-image"
) -> str:
    """The components of a reader's own photograph, computed in the browser, beside a reference.

    What the script computes is `principal_components` of all 3x3 patches of the photograph.

    Parameters
    ----------
    reference : Tensor of shape (27, 3, 3, 3), or None
        Components to hold the photograph's against; None where there are none, and the page says
        so.
    leading : int
        How many leading components span the spaces whose largest angle is shown.
    name : str
        What the reference is of.
    uid : str
        As for `window_html`.

    Raises
    ------
    ValueError
        A reference of another shape.

    Examples
    --------
    >>> "This build had no CIFAR-10" in your_image_html(None)
    True
    """
    note, data = "", {"leading": leading, "name": name}
    if reference is None:
        note = (
            f"<p><strong>This build had no {html.escape(name)}</strong>, so the components of the "
            "photograph stand alone.</p>"
        )
    elif tuple(reference.shape) != (27, 3, 3, 3):
        raise ValueError(f"reference has shape {tuple(reference.shape)}; (27, 3, 3, 3) is wanted")
    else:
        data["bank"] = _packed(reference[None], bits=16)
    still = _text("This page computes in your browser, and its scripts are off.")
    return _widget("own", "Components of your photograph", note + OWN, data, still, uid)


def _widget(kind: str, label: str, app: str, data: dict, still: str, uid: str) -> str:
    scripts = "\n".join(source(__package__, f"{name}.js") for name in ("common", kind))
    return fragment(
        f"drag drag-{kind}",
        label,
        app,
        data,
        still=still,
        css=source(__package__, "widgets.css"),
        js=f"(() => {{\n'use strict';\n{scripts}}})();",
        uid=uid,
    )


def _text(still: str) -> str:
    return f"<p>{html.escape(still)}</p>"


def _packed(banks: Tensor, bits: int) -> dict:
    """Banks of one shape as integers of so many bits, in steps of one common size."""
    banks, most = banks.detach().numpy(), 2 ** (bits - 1) - 1
    step = float(f"{np.abs(banks).max() / most:.6g}") or 1.0
    values = as_base64(np.rint(banks / step).clip(-most, most), f"<i{bits // 8}")
    return {"shape": banks.shape, "step": step, "bits": bits, "values": values}


def _turn_still(low: float, high: float, step: float) -> str:
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
