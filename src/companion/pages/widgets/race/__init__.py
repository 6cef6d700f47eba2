"""A race of two starts: a small network is trained in the reader's browser."""

import html
import zlib
from base64 import b64encode
from io import BytesIO

import torch
from matplotlib.image import imsave
from torch import Tensor
from torch.nn.functional import pad

from companion.argument.races import HIDDEN, RECIPE

from ..drag import packed
from ..fragment import as_base64, fragment, source


def race_html(images: Tensor, labels: Tensor, banks: dict[str, Tensor], *, n_train: int) -> str:
    """A race of two starts of a small network's first layer, trained in the browser.

    The network and its training are those of `companion.argument.races.races`.

    Parameters
    ----------
    images : Tensor of shape (N, 1, s, s)
        From 0 to 1, stored in 255ths; the first `n_train` are trained on, the others tested.
    labels : Tensor of shape (N,)
        Classes, from 0.
    banks : dict of str to Tensor of shape (R, F, 1, k, k)
        Starts by their names, two or more; race number n takes the bank (n - 1) mod R of each.
    n_train : int
        From 1 to N - 1.

    Raises
    ------
    ValueError
        If the shapes are others, or N is 65,536 or more.
    """
    shapes = {tuple(bank.shape) for bank in banks.values()}
    shape = next(iter(shapes), ())
    one = len(shapes) == 1 and len(shape) == 5 and shape[2] == 1 and shape[3] == shape[4]
    if not one or len(banks) < 2:
        wanted = "two or more of one shape (R, F, 1, k, k)"
        raise ValueError(f"banks={list(banks)} have shapes {sorted(shapes)}; {wanted} are wanted")
    side, least = images.shape[-1], 2 * shape[3] - 1
    if images.ndim != 4 or images.shape[1:] != (1, side, side) or side < least:
        raise ValueError(
            f"images have shape {tuple(images.shape)}; (N, 1, s, s) with s >= {least} is wanted"
        )
    if not 1 <= n_train < len(images) == len(labels) < 2**16:
        raise ValueError(
            f"n_train={n_train} of {len(images)} images with {len(labels)} labels; at least one "
            "image to train on and one to test, a label each, and fewer than 65,536 are wanted"
        )
    sizes = {"side": side, "k": shape[3], "filters": shape[1], "hidden": HIDDEN}
    pixels = (images * 255).round().to(torch.uint8).numpy().tobytes()
    data = {
        "names": list(banks),
        "bank": packed(torch.cat(list(banks.values())), bits=16),
        "images": b64encode(zlib.compress(pixels, 9)).decode(),
        "labels": as_base64(labels.numpy(), "u1"),
        "worker": source(__package__, "network.js"),
        "setting": RECIPE | {"sizes": sizes | {"classes": int(labels.max()) + 1}, "train": n_train},
    }
    return fragment(
        "drag drag-race",
        "A race of two starts",
        source(__package__, "race.html"),
        data,
        still=_still(banks),
        css=source("companion.pages.widgets", "drag.css") + source(__package__, "race.css"),
        js=source(__package__, "race.js"),
    )


def _still(banks: dict[str, Tensor]) -> str:
    """The first bank of each start, a row for each, and a sentence."""
    rows = []
    for bank, *_ in banks.values():
        apart = pad(bank[:, 0] / (bank.abs().max() or 1.0), (0, 1, 0, 1))  # white lines between
        rows.append(torch.cat(list(apart), 1))
    picture = BytesIO()
    imsave(picture, torch.cat(rows).numpy(), cmap="RdBu_r", vmin=-1, vmax=1, format="png")
    address = f"data:image/png;base64,{b64encode(picture.getvalue()).decode()}"
    names = html.escape(", ".join(banks))
    return (
        f'<figure class="still"><img src="{address}" alt="{len(banks)} rows of filters">'
        f"<figcaption>The race is run in your browser, and its scripts are off. These are the "
        f"starts to choose from, from the top: {names}.</figcaption></figure>"
    )
