"""What a run costs, in operations and in minutes."""

from __future__ import annotations

import time

import torch

from ..data.catalogue import DATASETS
from ..data.images import Images
from .plan import PlannedRun
from .settings import Settings
from .simpleconv import SimpleConv
from .trainer import Trainer


def forward_flops(settings: Settings) -> float:
    """Floating-point multiplications and additions of one image's way through SimpleConv."""
    channels, size = DATASETS[settings.dataset].channels, DATASETS[settings.dataset].size
    total = 0.0
    for width in (channels * 9, *settings.widths):
        size -= 2
        total += 2 * 9 * channels * width * size**2
        channels = width
    return total


def epoch_flops(settings: Settings) -> float:
    """Floating-point operations of one epoch, training and evaluation.

    Training takes three times as many as forward.
    """
    data_set = DATASETS[settings.dataset]
    n_train = settings.n_train or data_set.n_train - settings.n_held_out
    n_test = settings.n_evaluate or settings.n_held_out or data_set.n_test
    return forward_flops(settings) * (3 * n_train + n_test)


def minutes(left: dict[PlannedRun, int], device: str) -> float:
    """Estimated minutes of the epochs left of each run.

    Operations, at the rate of a few steps for each data set and precision.
    """
    rates: dict[tuple[str, str], float] = {}
    seconds = 0.0
    for run, epochs in left.items():
        kind = run.settings.dataset, run.settings.precision
        if kind not in rates:
            rates[kind] = _rate(run.settings, device)
        seconds += epochs * epoch_flops(run.settings) / rates[kind]
    return seconds / 60


def _rate(settings: Settings, device: str) -> float:
    """Operations a second of training on noise."""
    n = (2 if device == "cpu" else 20) * settings.batch_size
    channels, size = DATASETS[settings.dataset].channels, DATASETS[settings.dataset].size
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, channels, size, size), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (n,), generator=generator)
    few = Images(images, labels, tuple("0123456789"), "noise", "train")
    trainer = Trainer(
        SimpleConv(channels, 10, widths=settings.widths), few, few, settings, device=device
    )
    trainer.train_epoch()  # warms up
    start = time.perf_counter()
    trainer.train_epoch()
    return 3 * forward_flops(settings) * n / (time.perf_counter() - start)
