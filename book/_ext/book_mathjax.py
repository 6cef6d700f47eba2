"""Serve MathJax from the book itself: no page loads anything from another host.

The package sphinx-mathjax-offline brings all of MathJax (24 MB) and would copy all of it. A page
needs one script and the fonts that it finds beside itself.
"""

from importlib.resources import files
from pathlib import Path

from sphinx.util.fileutil import copy_asset

SCRIPT = "tex-chtml.js"
FONTS = "output/chtml/fonts/woff-v2"


def copy_mathjax(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    source = Path(str(files("sphinx-mathjax-offline"))) / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    (target / FONTS).mkdir(parents=True, exist_ok=True)
    copy_asset(str(source / SCRIPT), str(target))
    copy_asset(str(source / FONTS), str(target / FONTS))


def setup(app):
    app.config.mathjax_path = f"mathjax/{SCRIPT}"
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
