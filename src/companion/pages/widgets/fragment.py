"""An interactive figure as one piece of HTML that fetches nothing."""

import base64
import html
import json
from importlib.resources import files

import numpy as np

# ColorBrewer's RdBu from blue to red: the stops of matplotlib's RdBu_r.
BLUE_TO_RED = [
    *("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7"),
    *("#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"),
]
FRAGMENT = """<div class="book-widget {kind}"><style>{css}</style>\
<noscript>{still}</noscript>
<div class="app" role="group" aria-label="{label}" hidden>{app}</div>
<script type="application/json">{data}</script><script>{js}</script></div>"""


def source(package: str, name: str) -> str:
    """The text of a script or style that lies in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def fragment(kind: str, label: str, app: str, data: dict, *, still: str, css: str, js: str) -> str:
    """An app with its data, its script and style, and what stands in where scripts are off.

    `kind` is the class by which the script finds its apps, `label` what a screen reader calls one.
    `app` and `still` are HTML, with every text from outside escaped; to the data, which JSON can
    hold, the stops of the colours are added.
    """
    shared = source(__package__, "fragment.js")
    text = json.dumps(data | {"colors": [list(bytes.fromhex(c[1:])) for c in BLUE_TO_RED]})
    return FRAGMENT.format(
        kind=kind,
        css=source(__package__, "fragment.css") + css,
        still=still,
        label=html.escape(label),
        app=app,
        data=text.replace("<", "\\u003c"),  # no label ends the script
        js=f"(() => {{\n'use strict';\n{shared}\n{js}}})();",
    )


def as_base64(values: np.ndarray, dtype: str) -> str:
    """The values' bytes for a script."""
    return base64.b64encode(values.astype(dtype).tobytes()).decode()
