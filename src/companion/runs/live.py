"""A short training that is kept in memory alone: what the chapters show live."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, cross_entropy
from tqdm import tqdm

from patchinit.data.images import Images

from ..simpleconv import SimpleConv
from .batches import Batches, unit
from .settings import Settings
from .trainer import Epoch, Trainer


@dataclass
class History:
    """A record of a run."""

    settings: Settings
    epochs: list[Epoch] = field(default_factory=list)
    #: first layer before training and after each epoch
    filters: list[Tensor] = field(default_factory=list)

    @property
    def diverged(self) -> bool:
        """Whether the loss was not finite, and the run was stopped."""
        return not math.isfinite(self.epochs[-1].train_loss)


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
        As for `companion.runs.trainer.Trainer`.
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


def train_side_by_side(
    models: Sequence[SimpleConv], train_set: Images, test_set: Images, settings: Settings
) -> tuple[Tensor, Tensor]:
    """The ends of as many short runs on the same batches, on the CPU; the models stay as they are.

    Each comes out as by `train`, but for rounding. Side by side they take half the time: the first
    convolutions, which see the same images, are one, and the others its groups.

    Parameters
    ----------
    models : sequence of R SimpleConv
        Of the same shape.
    train_set, test_set : Images
    settings : Settings
        Of the training's settings, all that `companion.runs.batches.Batches` reads, the epochs and
        the rates; the optimiser is Adam.

    Returns
    -------
    Tensor of shape (R,), float64
        Accuracy on the test images after the last epoch, 0 to 1.
    Tensor of shape (R, F, C, 3, 3)
        Their first layers.

    Examples
    --------
    >>> from companion.runs.prepare import prepare
    >>> settings = Settings(dataset="digits", n_train=64, n_evaluate=32, epochs=2, widths=(4,))
    >>> model, train_set, test_set, *_ = prepare(settings)
    >>> accuracies, filters = train_side_by_side([model, model], train_set, test_set, settings)
    >>> torch.equal(*accuracies), filters.shape
    (True, torch.Size([2, 9, 1, 3, 3]))
    """
    R = len(models)
    states = [model.state_dict() for model in models]
    # All at once, one after the other along the axis of a layer's outputs.
    state = {k: torch.cat([one[k] for one in states]) for k, v in states[0].items() if v.ndim}
    parameters = [state[k].requires_grad_() for k, _ in models[0].named_parameters()]

    def logits(images: Tensor, *, training: bool) -> Tensor:
        """Of images (N, C, H, W): (N, R, classes)."""
        maps = unit(images).contiguous(memory_format=torch.channels_last)
        for place, layer in models[0].features.named_children():
            weight, bias = (state.get(f"features.{place}.{k}") for k in ("weight", "bias"))
            if isinstance(layer, nn.Conv2d):
                assert weight is not None  # it has one
                maps = conv2d(maps, weight, bias, groups=1 if place == "0" else R)
            elif isinstance(layer, nn.BatchNorm2d):
                mean, var = (state[f"features.{place}.running_{k}"] for k in ("mean", "var"))
                assert layer.momentum is not None  # a SimpleConv's is a number
                share, eps = layer.momentum, layer.eps
                maps = batch_norm(maps, mean, var, weight, bias, training, share, eps).relu_()
        last, shift = (state[f"head.2.{k}"].unflatten(0, (R, -1)) for k in ("weight", "bias"))
        return torch.einsum("nrc,rkc->nrk", maps.mean((2, 3)).unflatten(1, (R, -1)), last) + shift

    batches = Batches(train_set, settings, torch.device("cpu"))
    optimiser = torch.optim.Adam(parameters, eps=settings.adam_eps, fused=True)
    for epoch in range(1, settings.epochs + 1):
        optimiser.param_groups[0]["lr"] = settings.rate(epoch)
        for indices, moves, labels in batches.of_epoch(epoch):
            optimiser.zero_grad()
            found = logits(batches.pixels(indices, moves), training=True).flatten(0, 1)
            (R * cross_entropy(found, labels.repeat_interleave(R))).backward()
            optimiser.step()
    with torch.no_grad():
        parts = (logits(part, training=False) for part in test_set.images.split(50))
        right = torch.cat(list(parts)).argmax(2) == test_set.labels[:, None]
    return right.double().mean(0), state["features.0.weight"].detach().unflatten(0, (R, -1))
