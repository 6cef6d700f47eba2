"""Whether this machine trains as it should, asked before hours are spent on it."""

from __future__ import annotations

import copy
import time

import torch

from patchinit.data.images import Images

from .process import prepare_process
from .settings import Settings
from ..simpleconv import SimpleConv
from .trainer import Trainer

EPOCHS, STOP = 4, 2  # of each small run, and after which of them one is stopped
N_IMAGES = 500  # batches of 128 and a shorter one: on a GPU two captured steps


def check_device(device: str) -> bool:
    """Make a small run twice, and once stopped and resumed, in each precision of a device.

    Prints a line a precision. True if the runs learn and agree: on a CPU in every bit, on a GPU to
    a hundredth of the loss.
    """
    name = torch.cuda.get_device_name(device) if precisions(device)[1] == "tf32" else "CPU"
    print(f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    return all([_check(device, precision) for precision in precisions(device)])


def precisions(device: str) -> list[str]:
    """Those that the trainer has on this device."""
    return ["fp32", "tf32", "bf16"] if torch.device(device).type == "cuda" else ["fp32", "bf16"]


def _check(device: str, precision: str) -> bool:
    prepare_process(device, precision)
    one, other, begun, resumed = (_trainer(device, precision) for _ in range(4))
    losses = [one.train_epoch()[0] for _ in range(STOP)]
    start = time.perf_counter()
    losses += [one.train_epoch()[0] for _ in range(EPOCHS - STOP)]
    rate = (EPOCHS - STOP) * N_IMAGES / (time.perf_counter() - start)
    again = [other.train_epoch()[0] for _ in range(EPOCHS)]
    parts = [begun.train_epoch()[0] for _ in range(STOP)]
    resumed.load_state_dict(copy.deepcopy(begun.state_dict()))
    parts += [resumed.train_epoch()[0] for _ in range(EPOCHS - STOP)]
    gaps = [max(abs(a - b) for a, b in zip(losses, run, strict=True)) for run in (again, parts)]
    allowed = 0.0 if torch.device(device).type == "cpu" else 0.01 * losses[0]
    fine = losses[-1] < losses[0] and max(gaps) <= allowed  # of NaN both are false
    print(
        f"{precision}: {'pass' if fine else 'FAIL'}, {rate:,.0f} images/s; loss {losses[0]:.4f} to "
        f"{losses[-1]:.4f}; made again it differs by {gaps[0]:.1e}, resumed by {gaps[1]:.1e}",
        flush=True,
    )
    return fine


def _trainer(device: str, precision: str) -> Trainer:
    settings = Settings(epochs=EPOCHS, precision=precision, widths=(16,) * 10)
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (N_IMAGES,), generator=generator)  # dark and bright noise
    pixels = torch.randint(156, (N_IMAGES, 3, 32, 32), generator=generator)
    pixels += 100 * labels[:, None, None, None]
    images = Images(pixels.to(torch.uint8), labels, ("dark", "bright"), "noise", "train")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SimpleConv(3, 2, widths=settings.widths)
    return Trainer(model, images, images, settings, device=device)
