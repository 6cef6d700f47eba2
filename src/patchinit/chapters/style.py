"""The book's look, and one colour for each method everywhere."""

from __future__ import annotations

import contextlib
import ctypes

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
    """How a chapter begins: the book's look, no more threads than may run, no memory kept idle.

    Changes matplotlib's settings, for all figures that follow, limits torch's threads
    (`patchinit.experiments.processors.limit_threads`), and has the C library give large arrays
    back to the system when they are freed.

    Examples
    --------
    >>> with mpl.rc_context():
    ...     use_style()
    ...     mpl.rcParams["legend.frameon"]
    False
    """
    limit_threads()
    _give_memory_back()
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


def _give_memory_back() -> None:
    """Have every array of a megabyte or more mapped by itself, where the C library is glibc.

    By default it soon takes arrays of up to 32 MB from one heap. A small tensor that is made behind
    such an array and outlives it leaves a hole that the next array may not fit into: chapter 2 then
    took 0.3 GB more, in some runs and not in others.
    """
    m_mmap_threshold = -3  # <malloc.h>
    # Errors: another C library, or another system.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(m_mmap_threshold, 1 << 20)
