"""Filters of every method on several data sets, by 1 and by 2 threads: for test_rounding.py.

Writes 1.npz and 2.npz into the folder that is named.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from patchinit import METHODS, make_filters
from patchinit.data import DatasetUnavailable, load_images
from patchinit.filters import Clusters

SHAPES = {name: (20, 3, 3, 3) for name in ("photos", "cifar10")}
SHAPES |= {"mirrored": (12, 3, 3, 3), "drawings": (8, 1, 3, 3)}


def data_sets():
    """Images by name: natural, full of equal pairs, full of exact ties, and real ones if here."""
    draw = torch.Generator().manual_seed(1)
    photos = load_images("photos", "train").images
    photos = photos[torch.randperm(len(photos), generator=draw)[:24]]
    yield "photos", photos
    both = torch.cat([photos[:12], photos[:12].flip(3)])
    yield "mirrored", torch.cat([both, both.flip(2)])
    # Black or white pixels: few distinct patches, many as far from one seed as from another.
    yield "drawings", (torch.rand(60, 1, 14, 14, generator=draw) < 0.5).float()
    try:
        yield "cifar10", load_images("cifar10", "train").images[:24]
    except DatasetUnavailable as error:
        print(f"without CIFAR-10: {error}")


def filters_of_all() -> dict:
    found = {}
    for name, images in data_sets():
        for method in METHODS:
            shape = SHAPES[name]
            if name == "mirrored" and METHODS[method].needs.endswith("moments"):
                shape = (8, 3, 3, 3)  # further down symmetric data's eigenvalues come close
            draw = torch.Generator().manual_seed(0)
            options = {"norm": 1.0, "generator": draw, "max_patches": 4_000}
            bank = make_filters(method, images, shape, **options)
            key = f"{name}/{method}"
            found[f"{key}/filters"] = bank.filters.numpy()
            if isinstance(bank, Clusters):
                found[f"{key}/shares"] = bank.shares.numpy()
                found[f"{key}/n_iter"] = bank.n_iter
                found[f"{key}/inertia"] = bank.inertia
            if hasattr(bank, "eigenvalues"):
                found[f"{key}/eigenvalues"] = bank.eigenvalues.numpy()
    return found


if __name__ == "__main__":
    warnings.simplefilter("error")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with threadpool_limits(threads):  # scikit-learn's and numpy's
            np.savez(Path(sys.argv[1]) / f"{threads}.npz", **filters_of_all())
