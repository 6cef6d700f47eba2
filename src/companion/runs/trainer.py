"""One training run: a model, its images and settings in, a record of every epoch out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from patchinit.data.images import Images

from .batches import Batches, unit
from .captured_step import CapturedStep
from .process import is_prepared
from .settings import Settings
from ..simpleconv import SimpleConv

_EVALUATION_BATCH = {"cpu": 500, "cuda": 2_000}


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch."""

    epoch: int  #: from 1
    train_loss: float  #: cross-entropy, mean over the epoch's batches as they were trained on
    test_loss: float  #: cross-entropy after the epoch
    test_accuracy: float  #: share, 0 to 1, after the epoch
    learning_rate: float
    seconds: float  #: training and evaluation
    #: share of the epoch's images, 0 to 1, classified correctly as they were trained on
    train_accuracy: float = math.nan


class Trainer:
    """Trains a model in place, an epoch at a time, and can be stopped and resumed between epochs.

    The images lie on the device as uint8, and batches are scaled to 0..1 and augmented there. On a
    GPU the whole step is captured once as a CUDA graph and replayed; torch's flags are the
    process's, so `companion.runs.process.prepare_process` comes first.

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
        another network; TF32 on a device that is no GPU; a GPU whose flags are not set.

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
        self.layout = torch.channels_last if on_gpu else torch.contiguous_format
        self._dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        on_cpu = self.device.type == "cpu"
        self._blocked = on_cpu and isinstance(model, SimpleConv) and model.fits_onednn(self._dtype)
        # torch's annotations lack the argument.
        self.model = model.to(self.device, memory_format=self.layout)  # type: ignore[call-overload]
        self.batches = Batches(train_set, settings, self.device)
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
        self.optimizer: torch.optim.Optimizer
        if settings.optimizer == "adam":
            self.optimizer = torch.optim.Adam(
                parameters, lr=rate, eps=settings.adam_eps, fused=True, capturable=on_gpu
            )
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=rate, momentum=0.9, fused=True)
        self.loss_sum = torch.zeros((), device=self.device, dtype=torch.float64)
        self.n_correct = torch.zeros((), device=self.device, dtype=torch.int64)
        self._captured = CapturedStep()
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
        if not is_prepared(self.device, precision):
            raise ValueError(
                f"precision={precision!r} is not what torch's flags say on {self.device}; call "
                f"companion.runs.process.prepare_process({str(self.device)!r}, {precision!r}) first"
            )

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
        for batch in self.batches.of_epoch(self.epoch):
            self._step(*batch)
            seen += len(batch[0])
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
        self._captured.forget()

    def _logits(self, images: Tensor) -> Tensor:
        if self._blocked:
            return self.model.forward_blocked(images, self._dtype)
        if self._dtype == torch.bfloat16:
            return self.model.forward_mixed(images, self._dtype)
        return self.model(images)

    def _step_eagerly(self, indices: Tensor, moves: Tensor, labels: Tensor) -> None:
        images = self.batches.pixels(indices, moves).contiguous(memory_format=self.layout)
        self.optimizer.zero_grad(set_to_none=True)
        logits = self._logits(images)
        # loss and logits stay local: a graph that is captured must not outlive this call.
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        self.loss_sum += loss.detach() * len(indices)
        self.n_correct += (logits.detach().argmax(1) == labels).sum()

    def _step(self, *batch: Tensor) -> None:
        if self._capture:
            self._captured(self._step_eagerly, self._state, *batch)
        else:
            self._step_eagerly(*batch)

    def _state(self) -> dict[object, Tensor]:
        """Every tensor that a step changes."""
        found: dict[object, Tensor] = dict(self.model.state_dict(keep_vars=True))
        for index, state in enumerate(self.optimizer.state.values()):
            found |= {
                (index, name): value for name, value in state.items() if isinstance(value, Tensor)
            }
        return found | {"loss_sum": self.loss_sum, "n_correct": self.n_correct}

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
