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

import torch

from .course import KEPT, Course
from .files import exclusive_lock, remove_leftovers, write_whole
from .plan import RunFolder
from .prepare import prepare
from .process import prepare_process
from .provenance import about, now
from .record import MAX_PARAMETERS, Result, RunRefused, pack_result, read_result, unpack_result
from .settings import Settings
from .trainer import Epoch, Trainer

OnEpoch = Callable[[Epoch], None]
# Seconds between two checkpoints. An epoch on a GPU takes less than a second,
# and writing one a tenth of that.
SAVE_EVERY = {"cpu": 0.0}
SAVE_ELSEWHERE = 20.0
_ASIDE = "move it aside, and the run starts anew"


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
    files = RunFolder(Path(folder).expanduser())
    if not files.record.exists():
        with exclusive_lock(files.lock):
            if not files.record.exists():  # else another process finished it between the two looks
                remove_leftovers(files.path)
                return _Run(settings, files, device, on_epoch).to_the_end()
    result = read_result(files.record)
    if difference := result.settings.differences(settings):
        raise RunRefused(
            f"{files.path} holds a finished run of other settings ({difference}); "
            "choose another --folder or move it away"
        )
    return result


class _Run:
    """A run under way."""

    def __init__(self, settings: Settings, files: RunFolder, device: str, on_epoch: OnEpoch | None):
        self.settings, self.files, self.on_epoch = settings, files, on_epoch
        state = self._read_checkpoint()
        prepare_process(device, settings.precision)
        # A run that goes on starts from the filters on record:
        # learned again elsewhere they may differ.
        prepared = prepare(settings, learn=state is None)
        self.filter_images, self.learned = prepared.filter_images, prepared.learned
        self.trainer = Trainer(
            prepared.model, prepared.train_set, prepared.test_set, settings, device=device
        )
        self.course = Course(self.trainer, prepared.model.first_normalization, prepared.train_set)
        self.about = about(self.trainer.device)
        self.saved_at = time.monotonic()
        self.epochs: list[Epoch] = []
        if state is None:
            self.course.begin()
        else:
            self._go_on_from(state)

    def to_the_end(self) -> Result:
        for epoch, correct in self.trainer.epochs():
            self.epochs.append(epoch)
            self.course.after(epoch.epoch, correct)
            if epoch.epoch < self.settings.epochs and math.isfinite(epoch.train_loss):
                self._save()
            if self.on_epoch:
                self.on_epoch(epoch)
        content = pack_result(self._result())
        write_whole(self.files.record, content)
        self.files.checkpoint.unlink(missing_ok=True)
        return unpack_result(content)  # what every later reader sees

    def _result(self) -> Result:
        measured = self.course.end()
        network = self.trainer.model.state_dict()
        if sum(value.numel() for value in network.values()) > MAX_PARAMETERS:
            network = {}
        return Result(
            settings=self.settings,
            epochs=self.epochs,
            diverged=not math.isfinite(self.epochs[-1].train_loss),
            about=self.about | {"ended": now()},
            network={
                name: value.cpu().contiguous().numpy()
                for name, value in network.items()
                if value.is_floating_point()
            },
            filter_images=self.filter_images.int().numpy(),
            learned=self.learned,
            **measured,
        )

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
            **self.course.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        head = f"{hashlib.sha256(content).hexdigest()} {self.trainer.epoch}\n"
        write_whole(self.files.checkpoint, head.encode() + content)
        self.saved_at = time.monotonic()

    def _read_checkpoint(self) -> dict | None:
        path = self.files.checkpoint
        if not path.exists():
            return None
        head, _, content = path.read_bytes().partition(b"\n")
        # Checked before it is read: the digest tells a damaged file from one of another version.
        if hashlib.sha256(content).hexdigest().encode() != head[:64]:
            raise RunRefused(f"{path} is damaged, or no checkpoint; {_ASIDE}")
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            settings = Settings.from_json(state["settings"])
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise RunRefused(f"{path} is no checkpoint of ours; {_ASIDE}") from error
        if not state.keys() >= {"about", "learned", "trainer", "epochs", "filter_epochs", *KEPT}:
            raise RunRefused(f"{path} is of another version; {_ASIDE}")
        if difference := settings.differences(self.settings):
            raise RunRefused(
                f"{self.files.path} holds an unfinished run of other settings ({difference}); "
                f"choose another --folder, or {_ASIDE}"
            )
        return state

    def _go_on_from(self, state: dict) -> None:
        self.trainer.load_state_dict(state["trainer"])
        self.epochs = [Epoch(*values) for values in state["epochs"]]
        self.learned = json.loads(state["learned"])
        self.course.go_on_from(state)
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


def checkpoint_epoch(path: Path) -> int:
    """Epochs that a checkpoint holds, from its first line."""
    with path.open("rb") as file:
        head = file.readline(100).split()
    if len(head) != 2 or not head[1].isdigit():
        raise RunRefused(f"{path} is damaged, or no checkpoint; {_ASIDE}")
    return int(head[1])
