"""The book's look, and one colour for each method everywhere."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from itertools import cycle

import matplotlib as mpl
import seaborn as sns
from IPython.core.getipython import get_ipython
from matplotlib.figure import Figure
from matplotlib_inline.config import InlineBackend

from patchinit.filters.methods import METHODS

from ..processors import limit_threads

# Okabe and Ito's palette, for any colour vision, darkened where a line would have less than 3 to 1
# against white; grey for what knows nothing. Beside it a marker: no figure tells by colour alone.
_LOOKS = {
    "principal_components": ("#0072B2", "o"),
    "kmeans": ("#D55E00", "s"),
    "kmedoids": ("#B87A00", "D"),
    "kmedians": ("#8A6A00", "p"),
    "random_patches": ("#009E73", "^"),
    "pca_whitening": ("#2F8FC4", "P"),
    "random_orthonormal": ("#B8578E", "X"),
    "cosine_basis": ("#7A3E9D", "*"),
    "glorot_uniform": ("#4D4D4D", "v"),
    "kaiming_normal": ("#767676", "<"),
}
# For methods that have none of their own yet, in the order of METHODS.
_SPARE = cycle([("#A6402F", ">"), ("#5B7A1F", "h"), ("#3B5BA5", "d"), ("#8C6D62", "8")])
_LOOKS |= {name: next(_SPARE) for name in METHODS if name not in _LOOKS}
METHOD_COLORS = {name: color for name, (color, _) in _LOOKS.items()}
METHOD_MARKERS = {name: marker for name, (_, marker) in _LOOKS.items()}
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
METHOD_LINES = {name: _DASHES[i % len(_DASHES)] for i, name in enumerate(METHOD_MARKERS)}
METHOD_LABELS = {name: method.label for name, method in METHODS.items()}


#: bytes: an SVG above has so many marks that pixels are lighter
HEAVY = 180_000


def use_style() -> None:
    """How a chapter begins: the book's look, and no more threads than may run at once.

    For all figures that follow; `companion.processors.limit_threads` limits torch's threads. In a
    notebook each figure comes as SVG, and as PNG of half its `dpi` for what shows none; one whose
    SVG is heavy comes as PNG alone, of its whole `dpi`. They have the same bytes each time.
    """
    limit_threads()
    if (shell := get_ipython()) and shell.display_formatter:
        shell.display_formatter.mimebundle_formatter.for_type(Figure, _svg_and_png)
        # Its own PNG would be drawn as well, and be the one that is taken.
        InlineBackend.instance(parent=shell).figure_formats = set()
    sns.set_theme(context="notebook", style="ticks", palette=list(METHOD_COLORS.values()))
    mpl.rcParams.update(
        {
            "figure.dpi": 216,  # of what is drawn as pixels
            "figure.figsize": (7.2, 3.4),
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.titlelocation": "left",  # in sight where a narrow screen shows the left part
            "legend.frameon": False,
            "image.interpolation": "none",  # SVG keeps a filter's own few pixels, sharp at any size
            "svg.hashsalt": "filters from patches",
        }
    )


def _svg_and_png(figure: Figure) -> dict[str, str]:
    """A figure as SVG and as PNG, cropped, by type: it is laid out once for both."""
    if not figure.axes:  # nothing to see
        return {}
    figure.draw_without_rendering()
    crop = figure.get_tightbbox().padded(mpl.rcParams["savefig.pad_inches"])
    layout = figure.get_layout_engine()
    svg, png = BytesIO(), BytesIO()
    # With a layout engine it would be laid out twice more. matplotlib asks for the default's at the
    # end of each saving, so there must be none.
    with mpl.rc_context({"figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
        figure.savefig(svg, format="svg", bbox_inches=crop, metadata={"Date": None})
        light = len(svg.getvalue()) <= HEAVY
        figure.savefig(png, format="png", bbox_inches=crop, dpi=figure.dpi / (1 + light))
        figure.set_layout_engine(layout)
    shown = {"image/svg+xml": svg.getvalue().decode()} if light else {}
    return shown | {"image/png": b64encode(png.getvalue()).decode()}
