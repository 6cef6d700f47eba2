"""What a run records on its way: the first layer epoch by epoch, and its end."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from patchinit.data.images import Images
from patchinit.filters.measures import cosine_distance

from .trainer import Trainer

N_SNAPSHOTS = 25
# Training images that the first layer's gradient is taken on, the same in every run.
N_GRADIENT = 1_000
N_LATE = 10  # last epochs whose classifications are kept, image by image
KEPT = ("norms", "distances", "responses", "late_correct", "filters", "gradients")


def snapshot_epochs(n: int) -> list[int]:
    """About 25 epochs from 0 to n, close together at first, when filters move fastest."""
    return sorted({0, n, *np.geomspace(1, max(n, 1), N_SNAPSHOTS - 1).round().astype(int).tolist()})


class Course:
    """Of one run, as it goes.

    `kept` has what `companion.runs.record.Result` has fields of the same names for: a tensor an
    epoch, or a kept epoch.
    """

    def __init__(self, trainer: Trainer, normalization: nn.BatchNorm2d, train_set: Images):
        self.trainer, self.normalization = trainer, normalization
        fixed = torch.randperm(len(train_set), generator=torch.Generator().manual_seed(0))
        fixed = fixed[:N_GRADIENT]
        self.fixed = train_set.images[fixed], train_set.labels[fixed]
        self.snapshots = set(snapshot_epochs(trainer.settings.epochs))
        self.filter_epochs: list[int] = []
        self.kept: dict[str, list[Tensor]] = {name: [] for name in KEPT}

    def begin(self) -> None:
        """The start, before the first step."""
        self._keep_filters(0)
        self._measure(0)

    def after(self, epoch: int, correct: Tensor) -> None:
        """After an epoch, of whose images some were classified correctly: bool (n,)."""
        self.kept["late_correct"] = [*self.kept["late_correct"], correct.cpu()][-N_LATE:]
        if epoch in self.snapshots:
            self._keep_filters(epoch)
        self._measure(epoch)

    def end(self) -> dict:
        """Fields of a `Result`, once the last epoch is made, or the run has diverged."""
        if self.filter_epochs[-1] != self.trainer.epoch:  # it diverged
            self._keep_filters(self.trainer.epoch)
        losses, correct = self.trainer.evaluate()
        kept = {name: torch.stack(values) for name, values in self.kept.items()}
        gradient_norms, gradient_cosines = on_the_sphere(kept["filters"], kept["gradients"])
        return {
            "filter_epochs": np.array(self.filter_epochs),
            "correct": correct.cpu().numpy(),
            "final_loss": losses.double().mean().item(),
            "losses": losses.cpu().numpy(),
            "gradient_norms": gradient_norms,
            "gradient_cosines": gradient_cosines,
            **{name: values.numpy() for name, values in kept.items()},
        }

    def state_dict(self) -> dict:
        """What `go_on_from` takes."""
        kept = {name: torch.stack(values) for name, values in self.kept.items()}
        return {"filter_epochs": self.filter_epochs, **kept}

    def go_on_from(self, state: dict) -> None:
        self.filter_epochs = state["filter_epochs"]
        self.kept = {name: list(state[name]) for name in KEPT}

    def _filters(self) -> Tensor:
        return self.trainer.first.weight.detach().cpu().clone(memory_format=torch.contiguous_format)

    def _keep_filters(self, epoch: int) -> None:
        self.filter_epochs.append(epoch)
        self.kept["filters"].append(self._filters())
        self.kept["gradients"].append(self.trainer.first_gradient(*self.fixed))

    def _measure(self, epoch: int) -> None:
        """Norm, distance and response of every first filter."""
        weight = self._filters()
        self.kept["norms"].append(weight.flatten(1).norm(dim=1))
        self.kept["distances"].append(cosine_distance(self.kept["filters"][0], weight).float())
        variance = cast(Tensor, self.normalization.running_var).detach().cpu()
        # Before the first step the running variance is 1 by definition, and says nothing.
        self.kept["responses"].append(variance.sqrt() if epoch else variance * torch.nan)


def on_the_sphere(filters: Tensor, gradients: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """How steep the loss is along the directions of filters, whatever their norms.

    From filters and gradients (S, F, C, kh, kw): the norm (S, F) of the gradient with respect to
    each filter's direction, that is of its part at right angles to w times the norm of w; and the
    cosine (S, F) of gradient and filter, which is 0 behind batch normalisation but for its epsilon,
    and NaN without a gradient.
    """
    w, g = filters.flatten(2).double(), gradients.flatten(2).double()
    size = w.norm(dim=2)
    along = (w * g).sum(2) / size
    across = (g - along[..., None] * w / size[..., None]).norm(dim=2)
    return (across * size).float().numpy(), (along / g.norm(dim=2)).float().numpy()
