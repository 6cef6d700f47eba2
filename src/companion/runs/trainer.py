"""One training run: a model, its images and settings in, a record of every epoch out."""

from __future__ import annotations

import copy
import ctypes
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from patchinit.data.images import Images
from .augment import MOVE, augment, unit
from .settings import Settings
from .simpleconv import SimpleConv

_EVALUATION_BATCH = {"cpu": 500, "cuda": 2_000}


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch.

    Examples
    --------
    >>> epoch = Epoch(1, 2.1, 2.0, test_accuracy=0.25, learning_rate=1e-3, seconds=9.0)
    >>> f"{epoch.test_accuracy:.0%} after epoch {epoch.epoch}"
    '25% after epoch 1'
    """

    epoch: int  #: from 1
    train_loss: float  #: cross-entropy, mean over the epoch's batches as they were trained on
    test_loss: float  #: cross-entropy after the epoch
    test_accuracy: float  #: share, 0 to 1, after the epoch
    learning_rate: float
    seconds: float  #: training and evaluation
    #: share of the epoch's images, 0 to 1, classified correctly as they were trained on
    train_accuracy: float = math.nan


@dataclass
class History:
    """A record of a run.

    Examples
    --------
    >>> last = Epoch(1, float("nan"), 2.3, 0.1, 1e-3, 9.0)
    >>> History(Settings(), [last]).diverged
    True
    """

    settings: Settings
    epochs: list[Epoch] = field(default_factory=list)
    #: first layer before training and after each epoch
    filters: list[Tensor] = field(default_factory=list)

    @property
    def diverged(self) -> bool:
        """Whether the loss was not finite, and the run was stopped."""
        return not math.isfinite(self.epochs[-1].train_loss)


class Trainer:
    """Trains a model in place, an epoch at a time, and can be stopped and resumed between epochs.

    The images lie on the device as uint8; batches are drawn, scaled to 0..1 and augmented there.
    The random numbers of an epoch depend on the settings' seed and the epoch alone and are drawn
    on the CPU, so the order of the images is the same on every device. On a GPU the whole step is
    captured once as a CUDA graph and replayed, and torch's flags for the precision of convolutions
    and matrix products are set for the process, as the settings say.

    Parameters
    ----------
    model : nn.Module
        Logits (N, classes) for float images (N, C, H, W). For precision "bf16" a `SimpleConv`,
        whose first block and head stay in fp32.
    train_set, test_set : Images
    settings : Settings
        What concerns the training: epochs, rates, batch size, optimiser, augmentation, precision,
        label_share, frozen, seed. The model and the images are taken as they are given.
    device : str or torch.device
    capture : bool or None
        Replay the step as a CUDA graph. None: on a GPU only.

    Raises
    ------
    ValueError
        Fewer than two labelled images, for which batch normalisation is not defined; bf16 for
        another network; TF32 on a device that is no GPU.

    Examples
    --------
    >>> from companion.runs.prepare import prepare
    >>> settings = Settings(dataset="digits", n_train=64, n_evaluate=32, epochs=2, widths=(4,))
    >>> model, train_set, test_set, *_ = prepare(settings)
    >>> trainer = Trainer(model, train_set, test_set, settings)
    >>> [epoch.epoch for epoch, correct in trainer.epochs()]
    [1, 2]
    """

    def __init__(
        self,
        model: nn.Module,
        train_set: Images,
        test_set: Images,
        settings: Settings,
        *,
        device: str | torch.device = "cpu",
        capture: bool | None = None,
    ):
        self.settings, self.epoch = settings, 0
        self.device = torch.device(device)
        on_gpu = self.device.type == "cuda"
        self._check_precision(model)
        if on_gpu:
            self._prepare_gpu()
        else:
            _keep_freed_memory()
        self.layout = torch.channels_last if on_gpu else torch.contiguous_format
        self._dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        on_cpu = self.device.type == "cpu"
        self._blocked = on_cpu and isinstance(model, SimpleConv) and model.fits_onednn(self._dtype)
        self.model = model.to(self.device, memory_format=self.layout)
        self.n_classes = len(train_set.classes)
        self.n_steps_over = len(train_set)  # images in an epoch, whatever share of them is labelled
        if settings.label_share < 1:
            n_labelled = max(2, round(settings.label_share * len(train_set)))
            train_set = train_set.sample(n_labelled, generator=settings.generator("labels"))
        if len(train_set) < 2:
            raise ValueError(f"train_set has {len(train_set)} images; at least 2 are needed")
        self.train_images, self.train_labels = (
            train_set.images.to(self.device),
            train_set.labels.to(self.device),
        )
        self.test_images, self.test_labels = (
            test_set.images.to(self.device),
            test_set.labels.to(self.device),
        )
        self.first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
        if settings.frozen:
            self.first.weight.requires_grad_(False)
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        # A learning rate in the device's memory can be changed under a captured step.
        rate = (
            torch.tensor(settings.learning_rate, device=self.device)
            if on_gpu
            else settings.learning_rate
        )
        if settings.optimizer == "adam":
            self.optimizer = torch.optim.Adam(
                parameters, lr=rate, eps=settings.adam_eps, fused=True, capturable=on_gpu
            )
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=rate, momentum=0.9, fused=True)
        self.loss_sum = torch.zeros((), device=self.device, dtype=torch.float64)
        self.n_correct = torch.zeros((), device=self.device, dtype=torch.int64)
        self._steps: dict[int, Callable[..., None]] = {}  # captured, by size of the batch
        self._capture = on_gpu if capture is None else capture

    def _check_precision(self, model: nn.Module) -> None:
        precision = self.settings.precision
        if precision == "bf16" and not isinstance(model, SimpleConv):
            raise ValueError(
                f"precision='bf16' needs a SimpleConv, of which it knows what to keep in fp32; "
                f"this is a {type(model).__name__}, train it with precision='fp32'"
            )
        if precision == "tf32" and self.device.type != "cuda":
            raise ValueError(
                f"precision='tf32' needs a GPU, and device={str(self.device)!r} has none; "
                "take 'fp32'"
            )

    def _prepare_gpu(self) -> None:
        """Flags of the process.

        All that torch does on "the current device" is done on ours, in our precision.
        """
        torch.cuda.set_device(self.device)
        os.environ.setdefault(
            "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
        )  # else matrix products are not repeatable
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        allowed = "tf32" if self.settings.precision == "tf32" else "ieee"
        torch.backends.cudnn.conv.fp32_precision = allowed
        torch.backends.cuda.matmul.fp32_precision = allowed

    def train_epoch(self) -> tuple[float, float]:
        """One pass over the images in a new random order.

        Returns
        -------
        tuple of float
            The mean loss of its batches, and the share of images that were classified correctly as
            they were trained on, 0 to 1.
        """
        self.epoch += 1
        self._set_rate(self.settings.rate(self.epoch))
        self.model.train()
        self.loss_sum.zero_()
        self.n_correct.zero_()
        seen = 0
        parts = (part.split(self.settings.batch_size) for part in self._draw(self.epoch))
        for batch in zip(*parts, strict=True):
            n = len(batch[0])
            if n < 2:
                continue  # batch normalisation has no variance to divide by in a batch of one
            self._step(*batch)
            seen += n
        return (self.loss_sum / seen).item(), self.n_correct.item() / seen

    def epochs(self) -> Iterator[tuple[Epoch, Tensor]]:
        """Train to the last epoch of the settings, or until the loss is not finite.

        Yields
        ------
        Epoch
            What was measured.
        Tensor of shape (n,), bool
            Which of the images that it was evaluated on were classified correctly.
        """
        while self.epoch < self.settings.epochs:
            start = time.perf_counter()
            train_loss, train_accuracy = self.train_epoch()
            losses, correct = self.evaluate(self.settings.n_evaluate)
            test_loss, accuracy = losses.double().mean().item(), correct.double().mean().item()
            seconds = time.perf_counter() - start
            rate = self.settings.rate(self.epoch)
            yield (
                Epoch(self.epoch, train_loss, test_loss, accuracy, rate, seconds, train_accuracy),
                correct,
            )
            if not math.isfinite(train_loss):
                return

    @torch.no_grad()
    def evaluate(self, n: int | None = None) -> tuple[Tensor, Tensor]:
        """Cross-entropy of each of the first n test images, and which were classified correctly.

        Both of shape (n,), the second bool. The model's mode is then as it was.
        """
        size = _EVALUATION_BATCH.get(self.device.type, 500)
        parts = (part[:n].split(size) for part in (self.test_images, self.test_labels))
        was_training = self.model.training
        self.model.eval()
        losses, correct = [], []
        for images, labels in zip(*parts, strict=True):
            logits = self._logits(unit(images)).float()
            losses.append(F.cross_entropy(logits, labels, reduction="none"))
            correct.append(logits.argmax(1) == labels)
        self.model.train(was_training)
        return torch.cat(losses), torch.cat(correct)

    def first_gradient(self, images: Tensor, labels: Tensor) -> Tensor:
        """Gradient of the mean loss with respect to the first layer, (F, C, kh, kw), in fp32.

        Nothing is changed. Batch normalisation takes the statistics of these images, as in a
        training step: only then does the loss not depend on the filters' norms.
        """
        model = copy.deepcopy(self.model).train()
        weight = next(
            module for module in model.modules() if isinstance(module, nn.Conv2d)
        ).weight.requires_grad_()
        images = unit(images.to(self.device)).contiguous(memory_format=self.layout)
        loss = F.cross_entropy(model(images), labels.to(self.device))
        return torch.autograd.grad(loss, weight)[0].contiguous().cpu()

    def state_dict(self) -> dict:
        """All that the next epoch depends on; tensors, numbers and plain containers only."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on from `state_dict`, which may be of another device.

        Raises what torch raises for one of another model.
        """
        self.model.load_state_dict(state["model"])
        own = [
            {name: value for name, value in group.items() if name != "params"}
            for group in self.optimizer.param_groups
        ]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, options in zip(self.optimizer.param_groups, own, strict=True):
            # How the step is computed is this device's affair, not of the one that saved.
            group.update(options)
        for parameter, values in self.optimizer.state.items():
            for name, value in values.items():
                # Fused steps walk moments and weights in the order of memory,
                # so moments need the weights' layout.
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    values[name] = torch.empty_like(parameter).copy_(value)
                elif isinstance(value, Tensor):
                    values[name] = value.to(self.device)
        self.epoch = state["epoch"]
        self._steps.clear()  # they hold the addresses of the old state

    def _draw(self, epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the epoch's images in order, how each is mirrored and moved, and its label.

        Of shapes (n,), (n, 3) and (n,).
        """
        generator = self.settings.generator("order", epoch)
        n_labelled, n = len(self.train_images), self.n_steps_over
        passes = [
            torch.randperm(n_labelled, generator=generator)
            for _ in range(math.ceil(n / n_labelled))
        ]
        moves = torch.zeros(n, 0, dtype=torch.int64)
        if self.settings.augmentation == "flip_crop":
            mirrored = torch.randint(2, (n, 1), generator=generator)
            moves = torch.cat(
                [mirrored, torch.randint(2 * MOVE + 1, (n, 2), generator=generator)], dim=1
            )
        order = torch.cat(passes)[:n].to(self.device)
        labels = self.train_labels[order]
        if self.settings.labels == "redrawn":
            of_noise = self.settings.generator("redrawn labels", epoch)
            labels = torch.randint(self.n_classes, (n,), generator=of_noise).to(self.device)
        return order, moves.to(self.device), labels

    def _batch(self, indices: Tensor, moves: Tensor) -> Tensor:
        images = self.train_images[indices]
        if moves.shape[1]:
            images = augment(images, moves)
        return unit(images).contiguous(memory_format=self.layout)

    def _logits(self, images: Tensor) -> Tensor:
        if self._blocked:
            return self.model.forward_blocked(images, self._dtype)
        if self._dtype == torch.bfloat16:
            return self.model.forward_mixed(images, self._dtype)
        return self.model(images)

    def _step_eagerly(self, indices: Tensor, moves: Tensor, labels: Tensor) -> None:
        images = self._batch(indices, moves)
        self.optimizer.zero_grad(set_to_none=True)
        logits = self._logits(images)
        # loss and logits stay local: a graph that is captured must not outlive this call.
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        self.loss_sum += loss.detach() * len(indices)
        self.n_correct += (logits.detach().argmax(1) == labels).sum()

    def _step(self, *batch: Tensor) -> None:
        if not self._capture:
            self._step_eagerly(*batch)
            return
        n = len(batch[0])
        if n not in self._steps:
            self._steps[n] = self._captured_step(*batch)
        self._steps[n](*batch)

    def _captured_step(self, *batch: Tensor) -> Callable[..., None]:
        """The step for batches of one size, as a CUDA graph that reads each from a fixed place."""
        fixed = [part.clone() for part in batch]
        graph = torch.cuda.CUDAGraph()
        with self._undone():
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):  # cuDNN chooses its algorithms, the optimiser makes its state
                    self._step_eagerly(*fixed)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph):
                self._step_eagerly(*fixed)

        def replay(*batch: Tensor) -> None:
            for place, part in zip(fixed, batch, strict=True):
                place.copy_(part)
            graph.replay()

        return replay

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """Afterwards every tensor that a step changes has its old value, at the same address."""

        def tensors() -> dict[object, Tensor]:
            found: dict[object, Tensor] = dict(self.model.state_dict(keep_vars=True))
            for index, state in enumerate(self.optimizer.state.values()):
                found |= {
                    (index, name): value
                    for name, value in state.items()
                    if isinstance(value, Tensor)
                }
            return found | {"loss_sum": self.loss_sum, "n_correct": self.n_correct}

        before = {name: value.detach().clone() for name, value in tensors().items()}
        yield
        with torch.no_grad():
            for name, value in tensors().items():
                # The optimiser's state, absent before its first step, starts from zero.
                value.copy_(before[name]) if name in before else value.zero_()

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate


def train(
    model: nn.Module,
    train_set: Images,
    test_set: Images,
    settings: Settings,
    *,
    progress: bool = False,
) -> History:
    """Train a model in place on the CPU, evaluating after every epoch.

    Parameters
    ----------
    model, train_set, test_set, settings
        As for `Trainer`.
    progress : bool
        Show a bar over the epochs on standard error.

    Returns
    -------
    History
        If the loss stops being finite the run ends there, with a RuntimeWarning.

    Examples
    --------
    >>> from companion.runs.prepare import prepare
    >>> settings = Settings(dataset="digits", n_train=64, n_evaluate=32, epochs=2, widths=(4,))
    >>> history = train(*prepare(settings)[:3], settings)
    >>> len(history.epochs), len(history.filters)
    (2, 3)
    """
    was_training = model.training
    trainer = Trainer(model, train_set, test_set, settings)
    history = History(settings, filters=[trainer.first.weight.detach().clone()])
    bar = tqdm(trainer.epochs(), total=settings.epochs, unit="epoch", disable=not progress)
    for epoch, _ in bar:
        history.epochs.append(epoch)
        history.filters.append(trainer.first.weight.detach().clone())
        bar.set_postfix(loss=f"{epoch.train_loss:.3f}", accuracy=f"{epoch.test_accuracy:.1%}")
    model.train(was_training)
    if history.diverged:
        text = f"the loss is {epoch.train_loss} in epoch {epoch.epoch}; lower learning_rate"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    return history


def _keep_freed_memory() -> None:
    """Let the process keep freed maps' memory for the next step, where the C library is glibc.

    By default maps of several megabytes are given back to the kernel and come again as zeroed
    pages, 10,000 of them a step: up to a third of the time (benchmarks/training.py).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3  # <malloc.h>
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_top_pad, 64 << 20)
