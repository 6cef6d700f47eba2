"""A short training that is kept in memory alone: what the chapters show live."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field

from torch import Tensor, nn
from tqdm import tqdm

from patchinit.data.images import Images

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
