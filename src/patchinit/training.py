"""One training run: settings in, a record of every epoch out."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from .data import Images


@dataclass(frozen=True)
class Settings:
    """What a run is made of. The defaults are the paper's schedule (section 4.2.4)."""

    epochs: int = 250
    learning_rate: float = 1e-3  #: Adam's, for the first drop_after epochs
    drop_after: int = 200  #: epochs; the rate is a tenth afterwards
    batch_size: int = 128  #: images; the paper does not give it
    seed: int = 0  #: order of the images, the same for every method under comparison

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("drop_after", 0), ("batch_size", 2)):
            if getattr(self, name) < low:
                raise ValueError(f"{name}={getattr(self, name)} should be >= {low}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate} should be > 0")

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 1."""
        return self.learning_rate if epoch <= self.drop_after else self.learning_rate / 10


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch."""

    epoch: int  #: from 1
    train_loss: float  #: cross-entropy, mean over the epoch's batches as they were trained on
    test_loss: float  #: cross-entropy after the epoch
    test_accuracy: float  #: share, 0 to 1, after the epoch
    learning_rate: float
    seconds: float  #: training and evaluation


@dataclass
class History:
    """A record of a run."""

    settings: Settings
    epochs: list[Epoch] = field(default_factory=list)
    filters: list[Tensor] = field(default_factory=list)  #: first layer before training and after each epoch
    diverged: bool = False  #: the loss was not finite, and the run was stopped


def train(
    model: nn.Module, train_set: Images, test_set: Images, settings: Settings, *, progress: bool = False
) -> History:
    """Train a model in place with Adam and cross-entropy, evaluating after every epoch.

    Parameters
    ----------
    model : nn.Module
        Logits (N, classes) for float images (N, C, H, W); its first convolution is followed.
    train_set, test_set : Images
        uint8 images are divided by 255 batch by batch; nothing else is done to them.
    settings : Settings
    progress : bool
        Show a bar over the epochs on standard error.

    Returns
    -------
    History
        If the loss stops being finite the run ends there, with a RuntimeWarning and ``diverged`` set.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    history = History(settings, filters=[first.weight.detach().clone()])
    was_training = model.training
    bar = tqdm(range(1, settings.epochs + 1), unit="epoch", disable=not progress)
    for epoch in bar:
        start = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(epoch)
        train_loss = _train_epoch(model, train_set, optimizer, settings.batch_size, generator)
        test_loss, test_accuracy = evaluate(model, test_set)
        seconds = time.perf_counter() - start
        history.epochs.append(Epoch(epoch, train_loss, test_loss, test_accuracy, settings.rate(epoch), seconds))
        history.filters.append(first.weight.detach().clone())
        bar.set_postfix(loss=f"{train_loss:.3f}", accuracy=f"{test_accuracy:.1%}")
        if train_loss != train_loss or train_loss == float("inf"):
            history.diverged = True
            text = f"the loss is {train_loss} in epoch {epoch}; lower learning_rate"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
            break
    model.train(was_training)
    return history


def _train_epoch(model, train_set, optimizer, batch_size, generator) -> float:
    """One pass over the images in a new random order; mean loss."""
    model.train()
    losses, counts = [], []
    for batch in torch.randperm(len(train_set), generator=generator).split(batch_size):
        if len(batch) < 2 and len(train_set) > 1:
            continue  # batch normalisation has no variance to divide by in a batch of one
        loss = F.cross_entropy(model(_unit(train_set.images[batch])), train_set.labels[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        counts.append(len(batch))
    weights = torch.tensor(counts, dtype=torch.float32)
    return float((torch.stack(losses) * weights).sum() / weights.sum())


@torch.no_grad()
def evaluate(model: nn.Module, images: Images, *, batch_size: int = 500) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0 to 1), in evaluation mode; the mode is given back as it was."""
    was_training = model.training
    model.eval()
    loss = correct = 0.0
    for batch, labels in zip(images.images.split(batch_size), images.labels.split(batch_size), strict=True):
        logits = model(_unit(batch))
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        correct += (logits.argmax(1) == labels).sum().item()
    model.train(was_training)
    return loss / len(images), correct / len(images)


def _unit(images: Tensor) -> Tensor:
    return images.float().div_(255) if images.dtype == torch.uint8 else images
