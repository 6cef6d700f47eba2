"""Whether a device trains as it should, before hours are spent: small runs, a line a check."""

from __future__ import annotations

import copy
import io
import os
import platform
import time
from collections.abc import Callable, Iterator
from itertools import product

import torch

from patchinit.data.images import Images
from .cost import computes_in_bf16
from .settings import Settings
from .simpleconv import SimpleConv
from .trainer import Trainer

SIZE = 28  # H = W of the images made up here
WIDTHS = (16, 64)  # of the networks whose training is timed
# 200 images are batches of 80, 80 and 40: two captured steps.
_SMALL = {"epochs": 9, "batch_size": 80, "widths": (16,) * 3, "learning_rate": 0.01}
#: Passed or not, None for not applicable; and what was measured, or why not.
Outcome = tuple[bool | None, str]


def check_device(device: str, seconds: float = 180) -> bool:
    """Check a device and print a line a check: name, pass, fail or skipped, what was measured.

    Parameters
    ----------
    device : str
        "cpu", "cuda" or "cuda:1".
    seconds : float
        Checks that would begin later than this are skipped, and say so.

    Returns
    -------
    bool
        No check failed.

    Examples
    --------
    >>> check_device("cpu", seconds=0)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    versions        skipped  the 0 s are over
    copy rate       skipped  the 0 s are over
    ...
    True
    """
    begun, passed = time.perf_counter(), True
    for name, check in _checks(device):
        late = time.perf_counter() - begun > seconds
        outcome = (None, f"the {seconds:g} s are over") if late else _outcome(check)
        passed &= outcome[0] is not False
        print(f"{name:52} {_WORDS[outcome[0]]:8} {outcome[1]}", flush=True)
    return passed


_WORDS = {True: "pass", False: "fail", None: "skipped"}


def _outcome(check: Callable[[], Outcome]) -> Outcome:
    try:
        return check()
    except Exception as error:  # whatever a device raises is a finding; the other checks go on
        return False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _checks(device: str) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Every check, those first that tell most."""
    yield "versions", lambda: _versions(device)
    yield "copy rate", lambda: _copy_rate(device)
    for precision in precisions(device):
        yield f"{precision}: rate of a matrix product", lambda p=precision: _product_rate(device, p)
    for precision, optimizer in product(precisions(device), ("adam", "sgd")):
        yield from _checks_of_resuming(device, _settings(precision=precision, optimizer=optimizer))
    yield "a second GPU", lambda: _second_gpu(device)
    for precision, width in product(precisions(device), WIDTHS):
        yield (
            f"{precision}: training 10 x {width}",
            lambda p=precision, w=width: _training_rate(device, p, w),
        )
    for variant in _variants(device):
        yield f"{_name(variant)}: a step trains", lambda v=variant: _step_trains(device, v)
        yield f"{_name(variant)}: captured = eager", lambda v=variant: _captured_is_eager(device, v)


def _checks_of_resuming(
    device: str, settings: Settings
) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    name = f"{settings.precision} {settings.optimizer}"
    yield f"{name}: the same run twice", lambda: _twice(device, settings)
    yield f"{name}: resumed = not stopped", lambda: _resumed(device, settings, lambda state: state)
    # Another device's checkpoint, made up here.
    yield f"{name}: resumed, other layout", lambda: _resumed(device, settings, as_of_another_device)
    yield f"{name}: resumed from the CPU", lambda: _moved("cpu", device, settings)
    yield f"{name}: resumed on the CPU", lambda: _moved(device, "cpu", settings)


def precisions(device: str) -> list[str]:
    """Those that the trainer has on this device."""
    return ["fp32", "tf32", "bf16"] if torch.device(device).type == "cuda" else ["fp32", "bf16"]


Variant = tuple[Settings, int]  # and the channels of the images


def _variants(device: str) -> Iterator[Variant]:
    options = product(
        (False, True), ("none", "flip_crop"), (3, 1), ("adam", "sgd"), precisions(device)
    )
    for frozen, augmentation, channels, optimizer, precision in options:
        changes = {"optimizer": optimizer, "augmentation": augmentation, "frozen": frozen}
        yield _settings(precision=precision, **changes), channels


def _name(variant: Variant) -> str:
    settings, channels = variant
    frozen = " frozen" if settings.frozen else ""
    augmentation = "" if settings.augmentation == "none" else f" {settings.augmentation}"
    return f"{settings.precision} {settings.optimizer} C={channels}{augmentation}{frozen}"


def _settings(**changes: object) -> Settings:
    return Settings(**(_SMALL | changes))


def _images(n: int, channels: int, size: int) -> Images:
    """Dark and bright noise: two classes, quickly learned."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (n,), generator=generator)
    pixels = torch.randint(156, (n, channels, size, size), generator=generator)
    pixels += 100 * labels[:, None, None, None]
    return Images(pixels.to(torch.uint8), labels, ("dark", "bright"), "noise", "train")


def _trainer(
    device: str, settings: Settings, channels: int = 3, *, capture: bool | None = None
) -> Trainer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SimpleConv(channels, 2, widths=settings.widths)
    images = _images(200, channels, SIZE)
    return Trainer(model, images, images, settings, device=device, capture=capture)


def _losses(trainer: Trainer, epochs: int) -> list[float]:
    return [trainer.train_epoch()[0] for _ in range(epochs)]


def _weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {
        name: value.detach().cpu().clone() for name, value in trainer.model.state_dict().items()
    }


def _difference(a: Trainer, b: Trainer) -> float:
    """Largest, over all weights and statistics."""
    ours, theirs = _weights(a), _weights(b)
    return max((ours[name].double() - theirs[name].double()).abs().max().item() for name in ours)


def _stored(trainer: Trainer) -> dict:
    """The trainer's state as a checkpoint gives it back."""
    buffer = io.BytesIO()
    torch.save(trainer.state_dict(), buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), map_location="cpu", weights_only=True)


def _near(a: list[float], b: list[float], tolerance: float) -> Outcome:
    gap = max(abs(x - y) / abs(y) for x, y in zip(a, b, strict=True))
    return gap <= tolerance, f"losses differ by {gap:.1e}, allowed {tolerance:.0e}"  # of NaN, False


def _versions(device: str) -> Outcome:
    text = (
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
    )
    if torch.device(device).type != "cuda":
        bf16 = "yes" if computes_in_bf16() else "no"
        return True, f"{text}, {platform.machine()}, bfloat16 by oneDNN: {bf16}"
    if not torch.cuda.is_available():
        return False, f"{text}: this torch finds no GPU"
    _trainer(device, _settings())  # sets the flags
    properties = torch.cuda.get_device_properties(device)
    flags = (
        f"deterministic {torch.backends.cudnn.deterministic}, "
        f"convolutions {torch.backends.cudnn.conv.fp32_precision}, "
        f"products {torch.backends.cuda.matmul.fp32_precision}, "
        f"cuBLAS workspace {os.environ.get('CUBLAS_WORKSPACE_CONFIG')}"
    )
    memory = f"{properties.total_memory / 2**30:.0f} GiB"
    return (
        True,
        f"{text}, {properties.name}, {memory}, cuDNN {torch.backends.cudnn.version()}, {flags}",
    )


def _time(device: str, work: Callable[[], object], repeats: int) -> float:
    """Seconds of one of several repeats, the first left out."""
    work()
    _wait(device)
    begun = time.perf_counter()
    for _ in range(repeats):
        work()
    _wait(device)
    return (time.perf_counter() - begun) / repeats


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _copy_rate(device: str) -> Outcome:
    n = 2**28 if torch.device(device).type == "cuda" else 2**24  # floats
    source, target = torch.ones(n, device=device), torch.zeros(n, device=device)
    rate = 8 * n / _time(device, lambda: target.copy_(source), 5)
    return bool((target[-1] == 1).item()), f"{rate / 1e9:,.1f} GB/s read and written"


def _product_rate(device: str, precision: str) -> Outcome:
    n = 8192 if torch.device(device).type == "cuda" else 512
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    if torch.device(device).type == "cuda":
        torch.backends.cuda.matmul.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    a = torch.randn(n, n, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    rate = 2 * n**3 / _time(device, lambda: a @ a, 5)
    row, truth = (a[:1] @ a).double().cpu(), a[:1].double().cpu() @ a.double().cpu()
    error = ((row - truth).norm() / truth.norm()).item()
    allowed = {"fp32": 1e-5, "tf32": 2e-3, "bf16": 1e-2}[precision]
    return error < allowed, f"{rate / 1e12:,.3f} TFLOP/s; off by {error:.0e}, allowed {allowed:.0e}"


def _step_trains(device: str, variant: Variant) -> Outcome:
    """A step moves what it should and nothing else.

    An empty captured step would leave all as it was.
    """
    trainer = _trainer(device, *variant)
    before = _weights(trainer)
    losses = _losses(trainer, 2)
    after = _weights(trainer)
    first = (after["features.0.weight"] - before["features.0.weight"]).abs().max().item()
    second = (after["features.3.weight"] - before["features.3.weight"]).abs().max().item()
    fine = (
        (first == 0 if variant[0].frozen else first > 0)
        and second > 0
        and 0 < losses[1] < losses[0]
    )
    moved = f"first layer moved by {first:.1e}, second by {second:.1e}"
    return fine, f"losses {losses[0]:.4f} {losses[1]:.4f}, {moved}"


def _captured_is_eager(device: str, variant: Variant) -> Outcome:
    if torch.device(device).type != "cuda":
        return None, "steps are captured on a GPU only"
    losses = [_losses(_trainer(device, *variant, capture=capture), 2) for capture in (True, False)]
    return _near(*losses, 1e-3 if variant[0].precision == "fp32" else 1e-2)


def _twice(device: str, settings: Settings) -> Outcome:
    one, other = _trainer(device, settings), _trainer(device, settings)
    _losses(one, 2), _losses(other, 2)
    gap = _difference(one, other)
    return gap == 0, "equal in every bit" if gap == 0 else f"weights differ by {gap:.1e}"


def _resumed(device: str, settings: Settings, changed: Callable[[dict], dict]) -> Outcome:
    """Two epochs, a checkpoint changed on the way, and two more, against four at a stretch."""
    straight, begun, resumed = (_trainer(device, settings) for _ in range(3))
    losses = _losses(straight, 4)
    _losses(begun, 2)
    resumed.load_state_dict(changed(_stored(begun)))
    again = _losses(resumed, 2)
    gap = _difference(straight, resumed)
    if torch.device(device).type == "cpu":
        equal = gap == 0 and again == losses[2:]
        return equal, "equal in every bit" if equal else f"weights differ by {gap:.1e}"
    fine, text = _near(again, losses[2:], 1e-2)
    return fine, f"{text}; weights by {gap:.1e}"


def as_of_another_device(state: dict) -> dict:
    """A trainer's state with moments in the other memory layout, and options of another device."""
    state = copy.deepcopy(state)
    weight = state["model"]["features.3.weight"]
    last = weight.is_contiguous(memory_format=torch.channels_last)
    layout = torch.contiguous_format if last else torch.channels_last
    for values in state["optimizer"]["state"].values():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.dim() == 4:
                values[name] = value.contiguous(memory_format=layout)
    for group in state["optimizer"]["param_groups"]:
        if "capturable" in group:
            group["capturable"] = not group["capturable"]
        group["lr"] = torch.tensor(123.0)
    return state


def _moved(start: str, end: str, settings: Settings) -> Outcome:
    """A run moved to another device, against one that stayed: the next epoch's loss."""
    if start == end:
        return None, "it is the CPU"
    if settings.precision == "tf32":
        return None, "a CPU has no TF32"
    begun, moved = _trainer(start, settings), _trainer(end, settings)
    _losses(begun, 2)
    moved.load_state_dict(_stored(begun))
    return _near(_losses(moved, 1), _losses(begun, 1), 0.05)


def _second_gpu(device: str) -> Outcome:
    if torch.device(device).type != "cuda":
        return None, "no GPU asked for"
    if torch.cuda.device_count() < 2:
        return None, "there is one GPU"
    other = "cuda:1" if torch.device(device).index in (None, 0) else "cuda:0"
    outcome = _step_trains(other, (_settings(), 3))
    torch.cuda.set_device(torch.device(device).index or 0)
    return outcome


def _training_rate(device: str, precision: str, width: int) -> Outcome:
    rate, fine = _images_a_second(device, precision, width)
    text = f"{rate:,.0f} images/s"
    if (device, precision) == ("cpu", "bf16") and not computes_in_bf16():
        fp32, _ = _images_a_second(device, "fp32", width)
        text += f"; fp32 is {fp32 / rate:.1f} times as fast: this processor has no bf16 arithmetic"
    return fine, text


def _images_a_second(device: str, precision: str, width: int) -> tuple[float, bool]:
    """Of training, and whether the loss stayed a number."""
    on_gpu = torch.device(device).type == "cuda"
    settings = Settings(epochs=99, precision=precision, widths=(width,) * 10)
    n = 128 * (40 if on_gpu else 1)
    images = _images(n, 3, 32)
    trainer = Trainer(
        SimpleConv(3, 2, widths=settings.widths), images, images, settings, device=device
    )
    losses: list[float] = []
    rate = n / _time(device, lambda: losses.append(trainer.train_epoch()[0]), 2 if on_gpu else 1)
    return rate, losses[-1] == losses[-1]  # a NaN is not equal to itself
