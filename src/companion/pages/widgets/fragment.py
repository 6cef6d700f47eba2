"""An interactive figure as one piece of HTML that fetches nothing."""

from __future__ import annotations

import base64
import html
import io
import json
from importlib.resources import files

import numpy as np
from matplotlib.figure import Figure

# ColorBrewer's RdBu from blue to red: the stops of matplotlib's RdBu_r.
BLUE_TO_RED = [
    *("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7"),
    *("#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"),
]
FRAGMENT = """<div class="book-widget {kind}" id="{uid}"><style>{css}</style>\
<noscript>{still}</noscript>
<div class="app" role="group" aria-label="{label}" hidden>{app}</div>
<script type="application/json">{data}</script><script>{js}</script></div>"""


def source(package: str, name: str) -> str:
    """The text of a script or style that lies in a package.

    Examples
    --------
    >>> source("companion.pages.widgets", "controls.css")[:2]
    '/*'
    """
    return files(package).joinpath(name).read_text(encoding="utf-8")


def fragment(
    kind: str, label: str, app: str, data: dict, *, still: str, css: str, js: str, uid: str
) -> str:
    """An app with its data, its script and style, and what stands in where scripts are off.

    Parameters
    ----------
    kind : str
        The class by which the script finds its apps.
    label : str
        What a screen reader calls the app.
    app, still : str
        HTML, with every text from outside escaped.
    data : dict
        What JSON can hold; the stops of the colours are added.
    css, js : str
        Of this kind; the style of the controls is added.
    uid : str
        Id of the fragment on its page.

    Examples
    --------
    >>> how = {"still": "It needs scripts.", "css": "", "js": "", "uid": "one"}
    >>> page = fragment("kind", "A figure", "<p>Drag.</p>", {"n": 3}, **how)
    >>> page[:40], '{"n": 3, ' in page
    ('<div class="book-widget kind" id="one"><', True)
    """
    text = json.dumps(data | {"colors": [list(bytes.fromhex(c[1:])) for c in BLUE_TO_RED]})
    return FRAGMENT.format(
        kind=kind,
        uid=html.escape(uid),
        css=source(__package__, "controls.css") + css,
        still=still,
        label=html.escape(label),
        app=app,
        data=text.replace("<", "\\u003c"),  # no label ends the script
        js=js,
    )


def as_base64(values: np.ndarray, dtype: str) -> str:
    """The values' bytes for a script.

    Examples
    --------
    >>> as_base64(np.array([1, 2]), "<u2")
    'AQACAA=='
    """
    return base64.b64encode(values.astype(dtype).tobytes()).decode()


def still_picture(figure: Figure, *, alt: str, caption: str) -> str:
    """A figure as HTML, for readers without scripts.

    Examples
    --------
    >>> still_picture(Figure(), alt="nothing", caption="An empty sheet.")[:40]
    '<figure class="still"><img alt="nothing"'
    """
    picture = io.BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight")
    data = base64.b64encode(picture.getvalue()).decode()
    return (
        f'<figure class="still"><img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
