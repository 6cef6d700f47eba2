"""One run in one folder: prepared from its settings, resumed where it stopped, recorded at the end."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import os
import pickle
import platform
import time
import zipfile
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .data import Images, load_images
from .init import glorot_uniform_, initialize_all_layers_, initialize_first_layer_, lsuv_, orthogonal_
from .measures import cosine_distance
from .models import SimpleConv
from .settings import Settings
from .storage import StorageError, only_here, remove_leftovers, write_whole
from .training import Epoch, Trainer, run_epoch

Load = Callable[[str, str], Images]  # (data set, split) -> images
OnEpoch = Callable[[Epoch], None]
N_SNAPSHOTS = 25


class RunRefused(RuntimeError):
    """A folder holds something else than this run, or its checkpoint can't be used; the text says which and what to do."""


@dataclass(frozen=True)
class Result:
    """What a finished run recorded."""

    settings: Settings
    epochs: list[Epoch]
    norms: np.ndarray  #: (epochs + 1, F), norm of each filter of the first layer, the start first; half precision
    distances: np.ndarray  #: (epochs + 1, F), its cosine distance from the start; half precision
    filter_epochs: np.ndarray  #: (S,), epochs after which the first layer was kept
    filters: np.ndarray  #: (S, F, C, kh, kw), float32; between the first and the last of half precision
    correct: np.ndarray  #: bool (N,), for each image evaluated at the end
    final_loss: float  #: cross-entropy on these images
    diverged: bool  #: the loss was not finite, and the run ended there
    about: dict  #: versions, hardware, digest of the code, times


@functools.lru_cache(maxsize=4)
def load(dataset: str, split: str) -> Images:
    """A data set, kept for the next run of this process."""
    return load_images(dataset, split)


def prepare(settings: Settings, load: Load = load) -> tuple[SimpleConv, Images, Images]:
    """The model, initialised, with its training images and those to evaluate on.

    All that does not depend on the method is the same for every run of one seed: the other layers'
    weights, the images that filters are learned from, the training images.
    """
    everything = load(settings.dataset, "train")
    if settings.n_held_out:
        if settings.n_held_out >= len(everything) - 1:
            raise ValueError(f"n_held_out={settings.n_held_out} leaves nothing of {len(everything)} training images")
        order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))  # for every seed alike
        held_out, kept = order[: settings.n_held_out], order[settings.n_held_out :]
        test_set, everything = _part(everything, held_out), _part(everything, kept)
    else:
        test_set = load(settings.dataset, "test")
    images = everything.sample(settings.n_images, generator=settings.generator("filter images")).images
    train_set = everything
    if settings.n_train is not None:
        train_set = everything.sample(settings.n_train, generator=settings.generator("training images"))

    channels, size = everything.images.shape[1:3]
    model = SimpleConv(channels, len(everything.classes), widths=settings.widths, head=settings.head, image_size=size,
        bias=settings.bias, bn_eps=settings.bn_eps, bn_momentum=settings.bn_momentum)
    weights, filters = settings.generator("weights"), settings.generator("filters")
    glorot_uniform_(model, generator=weights)
    glorot_norm = model.first_layer.weight.detach().flatten(1).norm(dim=1).mean().item()
    if settings.others == "orthogonal":
        orthogonal_(model, generator=settings.generator("weights"))
    elif settings.others == "lsuv":
        lsuv_(model, images, generator=settings.generator("weights"))
    norm = {"glorot": glorot_norm, "own": None}.get(settings.norm, settings.norm)
    options = {"norm": norm, "generator": filters}
    if settings.layers == "all":
        # Components are at most C*9; wider layers than that keep the other layers' start.
        initialize_all_layers_(model, images, settings.method, too_many="keep", **options)
    else:
        initialize_first_layer_(model, images, settings.method, **options)
    return model, train_set, test_set


def _part(images: Images, chosen: torch.Tensor) -> Images:
    return replace(images, images=images.images[chosen], labels=images.labels[chosen])


def snapshot_epochs(n: int) -> list[int]:
    """About 25 epochs from 0 to n, close together at first, when filters move fastest."""
    return sorted({0, n, *np.geomspace(1, max(n, 1), N_SNAPSHOTS - 1).round().astype(int).tolist()})


def execute(
    settings: Settings,
    folder: str | os.PathLike,
    *,
    device: str = "cpu",
    load: Load = load,
    on_epoch: OnEpoch | None = None,
) -> Result:
    """Make a run, or go on with it, or return what it recorded if it is finished.

    Parameters
    ----------
    settings : Settings
    folder : path
        Of this run alone. A checkpoint is written after every epoch, the result at the end.
    device : str
        "cpu", "cuda" or "cuda:1".
    load : function of (data set, split), optional
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
    """
    folder = Path(folder)
    if (folder / "result.npz").exists():
        return _same(settings, read_result(folder / "result.npz"), folder)
    with only_here(folder):
        if (folder / "result.npz").exists():  # finished by another process between the two looks
            return _same(settings, read_result(folder / "result.npz"), folder)
        remove_leftovers(folder)
        return _Run(settings, folder, device, load, on_epoch).to_the_end()


def _same(settings: Settings, result: Result, folder: Path) -> Result:
    if difference := result.settings.differences(settings):
        raise RunRefused(
            f"{folder} holds a finished run of other settings ({difference}); choose another --folder or move it away"
        )
    return result


class _Run:
    """A run under way."""

    def __init__(self, settings: Settings, folder: Path, device: str, load: Load, on_epoch: OnEpoch | None):
        self.settings, self.folder, self.on_epoch = settings, folder, on_epoch
        model, train_set, test_set = prepare(settings, load)
        self.start = model.first_layer.weight.detach().clone()
        self.trainer = Trainer(model, train_set, test_set, settings, device=device)
        self.keep = set(snapshot_epochs(settings.epochs))
        self.about = about(self.trainer.device)
        self.epochs: list[Epoch] = []
        self.norms, self.distances = [], []
        self.filter_epochs, self.filters = [], []
        self._look_at_filters(0)
        if (folder / "checkpoint").exists():
            self._resume()

    def to_the_end(self) -> Result:
        diverged = False
        while self.trainer.epoch < self.settings.epochs and not diverged:
            epoch = run_epoch(self.trainer)
            self.epochs.append(epoch)
            self._look_at_filters(epoch.epoch)
            diverged = not math.isfinite(epoch.train_loss)
            if self.trainer.epoch < self.settings.epochs and not diverged:
                self._save()
            if self.on_epoch:
                self.on_epoch(epoch)
        if self.filter_epochs[-1] != self.trainer.epoch:
            self._keep_filters(self.trainer.epoch)
        losses, correct = self.trainer.evaluate()
        final_loss = losses.double().mean().item()
        result = Result(
            self.settings, self.epochs, np.stack(self.norms), np.stack(self.distances),
            np.array(self.filter_epochs), np.stack(self.filters), correct.cpu().numpy(), final_loss, diverged,
            self.about,
        )  # fmt: skip
        content = pack_result(result)
        write_whole(self.folder / "result.npz", content)
        (self.folder / "checkpoint").unlink(missing_ok=True)
        return unpack_result(content)  # what every later reader sees

    def _look_at_filters(self, epoch: int) -> None:
        weight = self.trainer.first.weight.detach().cpu()
        self.norms.append(weight.flatten(1).norm(dim=1).numpy())
        self.distances.append(cosine_distance(self.start, weight).float().numpy())
        if epoch in self.keep:
            self._keep_filters(epoch)

    def _keep_filters(self, epoch: int) -> None:
        self.filter_epochs.append(epoch)
        self.filters.append(self.trainer.first.weight.detach().cpu().contiguous().numpy().copy())

    def _save(self) -> None:
        state = {
            "settings": self.settings.to_json(),
            "about": json.dumps(self.about),
            "trainer": self.trainer.state_dict(),
            "epochs": [list(astuple(epoch)) for epoch in self.epochs],
            "norms": torch.from_numpy(np.stack(self.norms)),
            "distances": torch.from_numpy(np.stack(self.distances)),
            "filter_epochs": self.filter_epochs,
            "filters": torch.from_numpy(np.stack(self.filters)),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        head = f"{hashlib.sha256(content).hexdigest()} {self.trainer.epoch}\n"
        write_whole(self.folder / "checkpoint", head.encode() + content)

    def _resume(self) -> None:
        path = self.folder / "checkpoint"
        head, _, content = path.read_bytes().partition(b"\n")
        # Checked before it is read: the digest tells a damaged file from one of another version.
        if hashlib.sha256(content).hexdigest().encode() != head[:64]:
            raise RunRefused(f"{path} is damaged, or no checkpoint; delete it to start this run anew")
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            settings = Settings.from_json(state["settings"])
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError) as error:
            raise RunRefused(f"{path} is no checkpoint of ours; delete it to start this run anew") from error
        if difference := settings.differences(self.settings):
            raise RunRefused(
                f"{self.folder} holds an unfinished run of other settings ({difference}); "
                "choose another --folder, or delete it to start anew"
            )
        self.trainer.load_state_dict(state["trainer"])
        self.epochs = [Epoch(*values) for values in state["epochs"]]
        self.norms, self.distances = list(state["norms"].numpy()), list(state["distances"].numpy())
        self.filter_epochs, self.filters = state["filter_epochs"], list(state["filters"].numpy())
        before = json.loads(state["about"])
        # A run may be finished by other code or hardware than it was begun with; it says so.
        differing = {key: value for key, value in before.items() if self.about.get(key) != value and key != "begun"}
        self.about = self.about | {"begun": before["begun"], "earlier": [*before.pop("earlier", []), differing]}


def checkpoint_epoch(path: Path) -> int:
    """Epochs that a checkpoint holds, from its first line."""
    with path.open("rb") as file:
        head = file.readline(100).split()
    if len(head) != 2 or not head[1].isdigit():
        raise RunRefused(f"{path} is damaged, or no checkpoint; delete it to start this run anew")
    return int(head[1])


def about(device: torch.device) -> dict:
    """Versions, hardware and the digest of the code, as a manifest wants them."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        hardware = f"{_processor()}, {torch.get_num_threads()} threads"
    return {
        "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "hardware": hardware,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": _version("scikit-learn"),
        "code": code_digest(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


@functools.cache
def code_digest() -> str:
    """SHA-256 over the module's source, the first 16 digits."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def pack_result(result: Result) -> bytes:
    """A record as the bytes of an .npz without objects, which `unpack_result` reads."""
    text = {
        "settings": json.loads(result.settings.to_json()),
        "final_loss": result.final_loss,
        "diverged": result.diverged,
        "about": result.about,
    }
    # Half precision where only figures are made of it (relative error 5e-4): hundreds of runs are to fit into git.
    with np.errstate(over="ignore"):  # of a run that diverged
        half = {name: getattr(result, name).astype(np.float16) for name in ("norms", "distances", "filters")}
    ends = result.filters[[0, -1]].astype(np.float32)
    table = {f"epochs.{f.name}": np.array([getattr(e, f.name) for e in result.epochs]) for f in fields(Epoch)}
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, text=np.array(json.dumps(text)), correct=np.packbits(result.correct),
        n_correct=np.array(len(result.correct)), filter_epochs=result.filter_epochs, ends=ends, **half, **table,
    )  # fmt: skip
    return buffer.getvalue()


def unpack_result(content: bytes, source: object = "result") -> Result:
    """The inverse of what `execute` writes. RunRefused if it is not the record of a run."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            text = json.loads(str(arrays["text"]))
            columns = [arrays[f"epochs.{field.name}"].tolist() for field in fields(Epoch)]
            norms, distances, filters = (arrays[name].astype(np.float32) for name in ("norms", "distances", "filters"))
            filters[[0, -1]] = arrays["ends"]
            correct = np.unpackbits(arrays["correct"], count=int(arrays["n_correct"])).astype(bool)
            return Result(
                Settings.from_json(json.dumps(text["settings"])), [Epoch(*row) for row in zip(*columns, strict=True)],
                norms, distances, arrays["filter_epochs"], filters, correct,
                text["final_loss"], text["diverged"], text["about"],
            )  # fmt: skip
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise RunRefused(f"{source} is damaged, or no record of a run ({error}); delete it to make the run anew") from error


def read_result(path: Path) -> Result:
    """A finished run's record."""
    try:
        return unpack_result(path.read_bytes(), path)
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror}") from error
