"""One run in one folder: prepared from settings, resumed where it stopped, recorded at the end."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from patchinit.filters.measures import cosine_distance
from .files import only_here, remove_leftovers, write_whole
from .plan import RunFolder
from .prepare import prepare
from .provenance import about, now
from .record import MAX_PARAMETERS, Result, RunRefused, pack_result, read_result, unpack_result
from .settings import Settings
from .trainer import Epoch, Trainer

OnEpoch = Callable[[Epoch], None]
N_SNAPSHOTS = 25
# Training images that the first layer's gradient is taken on, the same in every run.
N_GRADIENT = 1_000
N_LATE = 10  # last epochs whose classifications are kept, image by image
# Seconds between two checkpoints. An epoch on a GPU takes less than a second,
# and writing one a tenth of that.
SAVE_EVERY = {"cpu": 0.0}
SAVE_ELSEWHERE = 20.0


def snapshot_epochs(n: int) -> list[int]:
    """About 25 epochs from 0 to n, close together at first, when filters move fastest."""
    return sorted({0, n, *np.geomspace(1, max(n, 1), N_SNAPSHOTS - 1).round().astype(int).tolist()})


def execute(
    settings: Settings,
    folder: str | os.PathLike,
    *,
    device: str = "cpu",
    on_epoch: OnEpoch | None = None,
) -> Result:
    """Make a run, or go on with it, or return what it recorded if it is finished.

    Parameters
    ----------
    settings : Settings
    folder : path
        Of this run alone. On a CPU a checkpoint is written after every epoch, on a GPU
        every 20 s; the result at the end.
    device : str
        "cpu", "cuda" or "cuda:1".
    on_epoch : function of an Epoch, optional
        Called after every epoch, for a progress bar.

    Returns
    -------
    Result
        Of a run that diverged as well.

    Raises
    ------
    FolderBusy
        Another process makes this run at present.
    RunRefused
        The folder holds a run of other settings, or a damaged checkpoint.
    StorageError
        A full disk, a read-only folder.

    Examples
    --------
    >>> import tempfile
    >>> settings = Settings(dataset="digits", n_train=64, n_evaluate=32, epochs=2, widths=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = execute(settings, folder)
    ...     again = execute(settings, folder)  # is finished, and read
    >>> made.filters.shape, again.about["begun"] == made.about["begun"]
    ((3, 9, 1, 3, 3), True)
    """
    at = RunFolder(folder)
    if not at.record.exists():
        with only_here(at.lock):
            if not at.record.exists():  # else another process finished it between the two looks
                remove_leftovers(at.path)
                return _Run(settings, at, device, on_epoch).to_the_end()
    result = read_result(at.record)
    if difference := result.settings.differences(settings):
        raise RunRefused(
            f"{at.path} holds a finished run of other settings ({difference}); "
            "choose another --folder or move it away"
        )
    return result


_KEPT = ("norms", "distances", "responses", "late_correct", "filters", "gradients")


class _Run:
    """A run under way.

    `kept` has what `Result` has fields of the same names for: a tensor an epoch, or a kept epoch.
    """

    def __init__(self, settings: Settings, at: RunFolder, device: str, on_epoch: OnEpoch | None):
        self.settings, self.at, self.on_epoch = settings, at, on_epoch
        state = self._read_checkpoint()
        # A run that goes on starts from the filters on record:
        # learned again elsewhere they may differ.
        prepared = prepare(settings, learn=state is None)
        self.filter_images, self.learned = prepared.filter_images, prepared.learned
        train_set = prepared.train_set
        fixed = torch.randperm(len(train_set), generator=torch.Generator().manual_seed(0))
        fixed = fixed[:N_GRADIENT]
        self.fixed = train_set.images[fixed], train_set.labels[fixed]
        self.normalization = prepared.model.first_normalization
        self.trainer = Trainer(
            prepared.model, train_set, prepared.test_set, settings, device=device
        )
        self.snapshots = set(snapshot_epochs(settings.epochs))
        self.about = about(self.trainer.device)
        self.saved_at = time.monotonic()
        self.epochs: list[Epoch] = []
        self.filter_epochs: list[int] = []
        self.kept: dict[str, list[Tensor]] = {name: [] for name in _KEPT}
        if state is None:
            self._keep_filters(0)
            self._measure(0)
        else:
            self._go_on_from(state)

    def to_the_end(self) -> Result:
        for epoch, correct in self.trainer.epochs():
            self.epochs.append(epoch)
            self.kept["late_correct"] = [*self.kept["late_correct"], correct.cpu()][-N_LATE:]
            if epoch.epoch in self.snapshots:
                self._keep_filters(epoch.epoch)
            self._measure(epoch.epoch)
            if epoch.epoch < self.settings.epochs and math.isfinite(epoch.train_loss):
                self._save()
            if self.on_epoch:
                self.on_epoch(epoch)
        if self.filter_epochs[-1] != self.trainer.epoch:  # it diverged
            self._keep_filters(self.trainer.epoch)
        content = pack_result(self._result())
        write_whole(self.at.record, content)
        self.at.checkpoint.unlink(missing_ok=True)
        return unpack_result(content)  # what every later reader sees

    def _result(self) -> Result:
        losses, correct = self.trainer.evaluate()
        kept = {name: torch.stack(values) for name, values in self.kept.items()}
        gradient_norms, gradient_cosines = on_the_sphere(kept["filters"], kept["gradients"])
        network = self.trainer.model.state_dict()
        if sum(value.numel() for value in network.values()) > MAX_PARAMETERS:
            network = {}
        return Result(
            settings=self.settings,
            epochs=self.epochs,
            filter_epochs=np.array(self.filter_epochs),
            correct=correct.cpu().numpy(),
            final_loss=losses.double().mean().item(),
            diverged=not math.isfinite(self.epochs[-1].train_loss),
            about=self.about | {"ended": now()},
            gradient_norms=gradient_norms,
            gradient_cosines=gradient_cosines,
            losses=losses.cpu().numpy(),
            network={
                name: value.cpu().contiguous().numpy()
                for name, value in network.items()
                if value.is_floating_point()
            },
            filter_images=self.filter_images.int().numpy(),
            learned=self.learned,
            **{name: values.numpy() for name, values in kept.items()},
        )

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
        variance = self.normalization.running_var.detach().cpu()
        # Before the first step the running variance is 1 by definition, and says nothing.
        self.kept["responses"].append(variance.sqrt() if epoch else variance * torch.nan)

    def _save(self) -> None:
        every = SAVE_EVERY.get(self.trainer.device.type, SAVE_ELSEWHERE)
        if time.monotonic() - self.saved_at < every:
            return
        state = {
            "settings": self.settings.to_json(),
            "about": json.dumps(self.about | {"saved": now()}),
            "learned": json.dumps(self.learned),
            "trainer": self.trainer.state_dict(),
            "epochs": [list(astuple(epoch)) for epoch in self.epochs],
            "filter_epochs": self.filter_epochs,
            **{name: torch.stack(values) for name, values in self.kept.items()},
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        head = f"{hashlib.sha256(content).hexdigest()} {self.trainer.epoch}\n"
        write_whole(self.at.checkpoint, head.encode() + content)
        self.saved_at = time.monotonic()

    def _read_checkpoint(self) -> dict | None:
        path = self.at.checkpoint
        if not path.exists():
            return None
        head, _, content = path.read_bytes().partition(b"\n")
        # Checked before it is read: the digest tells a damaged file from one of another version.
        if hashlib.sha256(content).hexdigest().encode() != head[:64]:
            raise RunRefused(
                f"{path} is damaged, or no checkpoint; delete it to start this run anew"
            )
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            settings = Settings.from_json(state["settings"])
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise RunRefused(
                f"{path} is no checkpoint of ours; delete it to start this run anew"
            ) from error
        if not state.keys() >= {"about", "learned", "trainer", "epochs", "filter_epochs", *_KEPT}:
            raise RunRefused(f"{path} is of an earlier version; delete it to start this run anew")
        if difference := settings.differences(self.settings):
            raise RunRefused(
                f"{self.at.path} holds an unfinished run of other settings ({difference}); "
                "choose another --folder, or delete it to start anew"
            )
        return state

    def _go_on_from(self, state: dict) -> None:
        self.trainer.load_state_dict(state["trainer"])
        self.epochs = [Epoch(*values) for values in state["epochs"]]
        self.filter_epochs, self.learned = state["filter_epochs"], json.loads(state["learned"])
        self.kept = {name: list(state[name]) for name in self.kept}
        before = json.loads(state["about"])
        # A run may be finished by other code or hardware than it was begun with; it says so.
        earlier = before.pop("earlier", [])
        times = {key: before.pop(key) for key in ("begun", "resumed", "saved") if key in before}
        differing = {key: value for key, value in before.items() if self.about.get(key) != value}
        self.about = self.about | {
            "begun": times["begun"],
            "resumed": self.about["begun"],
            "earlier": [*earlier, times | differing],
        }


def on_the_sphere(filters: Tensor, gradients: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """How steep the loss is along the directions of filters, whatever their norms.

    Parameters
    ----------
    filters, gradients : Tensor of shape (S, F, C, kh, kw)
        Gradients with respect to the filters.

    Returns
    -------
    norms : array of shape (S, F), float32
        Of the gradient with respect to the filter's direction, that is its part at right angles
        to w times the norm of w.
    cosines : array of shape (S, F), float32
        Of gradient and filter: 0 behind batch normalisation but for its epsilon. NaN without a
        gradient.

    Examples
    --------
    >>> filters = torch.tensor([3.0, 4.0]).reshape(1, 1, 1, 1, 2)
    >>> gradients = torch.tensor([-4.0, 3.0]).reshape(1, 1, 1, 1, 2)  # at right angles
    >>> norms, cosines = on_the_sphere(filters, gradients)
    >>> norms.item(), cosines.item()
    (25.0, 0.0)
    """
    w, g = filters.flatten(2).double(), gradients.flatten(2).double()
    size = w.norm(dim=2)
    along = (w * g).sum(2) / size
    across = (g - along[..., None] * w / size[..., None]).norm(dim=2)
    return (across * size).float().numpy(), (along / g.norm(dim=2)).float().numpy()


def checkpoint_epoch(path: Path) -> int:
    """Epochs that a checkpoint holds, from its first line."""
    with path.open("rb") as file:
        head = file.readline(100).split()
    if len(head) != 2 or not head[1].isdigit():
        raise RunRefused(f"{path} is damaged, or no checkpoint; delete it to start this run anew")
    return int(head[1])
