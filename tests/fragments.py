"""Interactive figures for tests, and what they hold."""

import base64
import json

import numpy as np
import torch
from bs4 import BeautifulSoup
from sklearn.datasets import load_digits

from companion.pages.explorer import ExplorerBank
from companion.pages.widgets.race import race_html
from patchinit.filters import random_orthonormal

RNG = np.random.default_rng(0)


def banks(n, generator, shape=(27, 3, 3, 3)):
    return [random_orthonormal(shape, generator=generator).filters for _ in range(n)]


def explorer_bank(snapshots=4, n=5, channels=3, last=6, **changes):
    null = np.linspace(0, 0.5, last + 1)
    values = {
        "dataset": "CIFAR-10",
        "method": "k-means",
        "norm": "1",
        "color": "#D55E00",
        "epochs": np.array([*range(snapshots - 1), last]),
        "filters": RNG.standard_normal((snapshots, n, channels, 3, 3)).cumsum(0),
        "distances": 10 ** RNG.uniform(-4, 0, (last + 1, n)),
        "null": null,
        "null_band": np.column_stack([0.8 * null, 1.2 * null]),
    }
    return ExplorerBank(**values | changes)


def embedded(page):
    """The data of a figure's script."""
    found = BeautifulSoup(page, "html.parser").find("script", type="application/json")
    return json.loads(found.get_text())


def stored(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def race_banks():
    """Three starts of nine filters for grey images, two banks of each."""
    draw = torch.Generator().manual_seed(0)
    return {
        name: torch.stack(
            [random_orthonormal((9, 1, 3, 3), generator=draw).filters * size for _ in range(2)]
        )
        for name, size in (("components", 1), ("k-means", 1), ("Glorot", 0.45))
    }


def race_page():
    """A race of few images of four digits, so that it is soon over."""
    digits = load_digits(n_class=4)
    images = torch.from_numpy(digits.images[:150, None]) / 16
    labels = torch.from_numpy(digits.target[:150])
    return race_html(images, labels, race_banks(), n_train=64)
