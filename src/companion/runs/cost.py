"""What a run costs, in operations and in minutes."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable

import torch

from patchinit.data.catalogue import DATASETS
from patchinit.data.images import Images

from .plan import PlannedRun
from .process import prepare_process
from .settings import Settings
from ..simpleconv import SimpleConv
from .trainer import Trainer


def forward_flops(settings: Settings, shape: tuple[int, int, int] | None = None) -> float:
    """Floating-point multiplications and additions of one image's way through SimpleConv.

    `shape`, (C, H, W), is that of other images than the data set's.
    """
    data_set = DATASETS[settings.dataset]
    channels, height, width = shape or (data_set.channels, data_set.size, data_set.size)
    total = 0.0
    for filters in (channels * 9, *settings.widths):
        height, width = height - 2, width - 2
        total += 2 * 9 * channels * filters * height * width
        channels = filters
    return total


def epoch_flops(settings: Settings, shape: tuple[int, int, int] | None = None) -> float:
    """Floating-point operations of one epoch, training and evaluation.

    Training takes three times as many as forward. `shape` as for `forward_flops`.
    """
    data_set = DATASETS[settings.dataset]
    n_train = settings.n_train or data_set.n_train - settings.n_held_out
    n_test = settings.n_evaluate or settings.n_held_out or data_set.n_test
    return forward_flops(settings, shape) * (3 * n_train + n_test)


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


def computes_in_bf16() -> bool:
    """Whether torch finds bfloat16 arithmetic in this CPU.

    It is the question by which `SimpleConv.fits_onednn` chooses how bf16 is computed. It is private
    to torch; where it is gone, the answer is no.
    """
    ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return torch.backends.mkldnn.is_available() and ask is not None and ask()


def slow_bf16(runs: Iterable[PlannedRun], device: str) -> str:
    """What a person should know before runs in bf16 begin on a CPU that lacks its arithmetic.

    A line that says how much slower they are than in fp32, from a few steps of the first of them;
    empty if no run is in bf16, on a GPU, or if the CPU has the arithmetic.
    """
    ours = [run.settings for run in runs if run.settings.precision == "bf16"]
    if not ours or device != "cpu" or computes_in_bf16():
        return ""
    fp32 = dataclasses.replace(ours[0], precision="fp32")
    return (
        f"{len(ours)} of these runs are in bf16, for which this processor has no arithmetic: they "
        f"take about {_rate(fp32, device) / _rate(ours[0], device):.1f} times as long as in fp32, "
        "from a few steps just timed. Precision is a setting of the study and is not changed; "
        "runs in fp32 are not affected"
    )


@functools.cache  # of settings, and not timed again for the next thing that is said of them
def _rate(settings: Settings, device: str) -> float:
    """Operations a second of training on noise."""
    n = (2 if device == "cpu" else 20) * settings.batch_size
    channels, size = DATASETS[settings.dataset].channels, DATASETS[settings.dataset].size
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, channels, size, size), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (n,), generator=generator)
    few = Images(images, labels, tuple("0123456789"), "noise", "train")
    with torch.random.fork_rng(devices=[]):  # the runs that follow find it as it was
        model = SimpleConv(channels, 10, widths=settings.widths)
    prepare_process(device, settings.precision)
    trainer = Trainer(model, few, few, settings, device=device)
    trainer.train_epoch()  # warms up
    start = time.perf_counter()
    trainer.train_epoch()
    return 3 * forward_flops(settings) * n / (time.perf_counter() - start)
