"""The book's look, and one colour for each method everywhere."""

from __future__ import annotations

import matplotlib as mpl
import seaborn as sns

from ..experiments.processors import limit_threads
from ..filters.methods import METHODS

# Okabe and Ito's palette, told apart by readers with any colour vision;
# grey for what knows nothing.
METHOD_COLORS = {
    "principal_components": "#0072B2",
    "kmeans": "#D55E00",
    "kmedoids": "#E69F00",
    "kmedians": "#8A6A00",
    "random_patches": "#009E73",
    "pca_whitening": "#56B4E9",
    "random_orthonormal": "#CC79A7",
    "cosine_basis": "#7A3E9D",
    "glorot_uniform": "#4D4D4D",
    "kaiming_normal": "#9A9A9A",
}
METHOD_LABELS = {name: method.label for name, method in METHODS.items()}


def use_style() -> None:
    """How a chapter begins: the book's look, and no more threads than may run at once.

    Changes matplotlib's settings, for all figures that follow, and limits torch's threads
    (`patchinit.experiments.processors.limit_threads`).

    Examples
    --------
    >>> with mpl.rc_context():
    ...     use_style()
    ...     mpl.rcParams["legend.frameon"]
    False
    """
    limit_threads()
    sns.set_theme(context="notebook", style="ticks", palette=list(METHOD_COLORS.values()))
    mpl.rcParams.update(
        {
            "figure.dpi": 144,
            "figure.figsize": (7.2, 3.4),
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "image.interpolation": "nearest",
        }
    )
