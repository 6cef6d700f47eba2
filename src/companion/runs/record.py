"""The record of one finished run, and the file that holds it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from .files import StorageError
from .settings import Settings
from .trainer import Epoch

# Networks of more parameters are not kept: hundreds of records are to fit into git.
MAX_PARAMETERS = 100_000


class RunRefused(RuntimeError):
    """A folder holds something else than this run, or its checkpoint can't be used.

    The text says which and what to do.
    """


def _none() -> np.ndarray:
    return np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Result:
    """What a finished run recorded.

    E epochs, F filters, S epochs after which the first layer was kept, N test images. Arrays of
    "half precision" have a relative error of up to 5e-4. The fields below `about` are empty in
    records of the reduced studies, which were made before these were measured.
    """

    settings: Settings
    epochs: list[Epoch]
    norms: (
        np.ndarray
    )  #: (E + 1, F), norm of each filter of the first layer, the start first; half precision
    distances: np.ndarray  #: (E + 1, F), its cosine distance from the start; half precision
    filter_epochs: np.ndarray  #: (S,), epochs after which the first layer was kept
    filters: (
        np.ndarray
    )  #: (S, F, C, kh, kw), float32; between the first and the last of half precision
    correct: np.ndarray  #: bool (N,), for each image evaluated at the end
    final_loss: float  #: cross-entropy on these images
    diverged: bool  #: the loss was not finite, and the run ended there
    about: dict  #: versions, hardware, code, times
    #: (E + 1, F), deviation of each filter's responses, from the normalisation's running variance;
    #: NaN at the start
    responses: np.ndarray = field(default_factory=_none)
    #: (S, F, C, kh, kw), of the mean loss on 1,000 training images, the same in every run;
    #: half precision
    gradients: np.ndarray = field(default_factory=_none)
    gradient_norms: np.ndarray = field(
        default_factory=_none
    )  #: (S, F), with respect to the filter's direction alone
    gradient_cosines: np.ndarray = field(
        default_factory=_none
    )  #: (S, F), cosine of gradient and filter
    late_correct: np.ndarray = field(
        default_factory=_none
    )  #: bool (up to 10, n), correct after each of the last epochs
    losses: np.ndarray = field(
        default_factory=_none
    )  #: (N,), cross-entropy of each image at the end; half precision
    #: the whole model at the end, by name, if it has at most 100,000 parameters; weights but
    #: the first in half precision
    network: dict[str, np.ndarray] = field(default_factory=dict)
    filter_images: np.ndarray = field(
        default_factory=_none
    )  #: which training images the filters were learned from
    learned: dict = field(
        default_factory=dict
    )  #: eigenvalues, or inertia, shares, n_iter and converged


_HALF = ("norms", "distances", "filters", "responses", "losses")
_AS_IT_IS = ("filter_epochs", "gradient_norms", "gradient_cosines", "filter_images")
_IN_TEXT = ("final_loss", "diverged", "about", "learned")
_FIRST_WEIGHT = "features.0.weight"


def pack_result(result: Result) -> bytes:
    """A record as the bytes of an .npz without objects, which `unpack_result` reads."""
    with np.errstate(over="ignore", invalid="ignore"):  # of a run that diverged
        return _packed(result)


def _packed(result: Result) -> bytes:
    text = {name: getattr(result, name) for name in _IN_TEXT} | {
        "settings": json.loads(result.settings.to_json())
    }
    arrays = {name: getattr(result, name) for name in _AS_IT_IS}
    # Half precision where only figures are made of it: hundreds of runs are to fit into git.
    arrays |= {name: getattr(result, name).astype(np.float16) for name in _HALF}
    # A gradient may be too small for half precision; its direction is not.
    lengths, directions = _polar(result.gradients)
    arrays |= {"gradients": directions.astype(np.float16), "gradient_lengths": lengths}
    arrays |= {
        "ends": result.filters[[0, -1]].astype(np.float32),
        "correct": np.packbits(result.correct),
        "n_correct": np.array(len(result.correct)),
        # Few images change sides from one epoch to the next, so the changes are what compresses.
        "late_correct": np.packbits(_changes(result.late_correct), axis=-1),
        "late_shape": np.array(result.late_correct.shape),
    }
    arrays |= {
        f"epochs.{f.name}": np.array([getattr(e, f.name) for e in result.epochs])
        for f in fields(Epoch)
    }
    for name, value in result.network.items():
        if name != _FIRST_WEIGHT:  # that is the last of `ends`
            arrays[f"network.{name}"] = (
                value.astype(np.float16) if value.ndim > 1 else value.astype(np.float32)
            )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, text=np.array(json.dumps(text)), **arrays)
    return buffer.getvalue()


def unpack_result(content: bytes, source: object = "result") -> Result:
    """The inverse of `pack_result`.

    RunRefused if it is no record of a run.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return _unpacked({name: arrays[name] for name in arrays.files})
    except (ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile, EOFError) as error:
        raise RunRefused(
            f"{source} is damaged, or no record of a run as this version writes it ({error}); "
            "move it aside, and the run is made anew; if it was collected, restore it: git checkout"
        ) from error


def read_about(path: Path) -> dict:
    """What a finished run's record says of the code and the machine; the arrays are not read."""
    try:
        # Opened here: numpy leaves a file open that it can't read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return json.loads(str(arrays["text"]))["about"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise RunRefused(f"{path} is damaged, or no record of a run ({error})") from error


def _unpacked(arrays: dict[str, np.ndarray]) -> Result:
    text = json.loads(str(arrays["text"]))
    columns = [arrays[f"epochs.{f.name}"].tolist() for f in fields(Epoch)]
    values: dict[str, Any] = {name: arrays[name].astype(np.float32) for name in _HALF}
    values |= {name: arrays[name] for name in _AS_IT_IS}
    values |= {name: text[name] for name in _IN_TEXT}
    values["filters"][[0, -1]] = arrays["ends"]
    values["correct"] = np.unpackbits(arrays["correct"], count=int(arrays["n_correct"])).astype(
        bool
    )
    values["gradients"] = arrays["gradients"]
    if arrays["gradients"].size:
        values["gradients"] = (
            arrays["gradients"] * arrays["gradient_lengths"][..., None, None, None]
        )
    changes = np.unpackbits(
        arrays["late_correct"], axis=-1, count=int(arrays["late_shape"][-1])
    ).astype(bool)
    values["late_correct"] = np.logical_xor.accumulate(changes, axis=0)
    if weights := {
        name[8:]: arrays[name].astype(np.float32) for name in arrays if name.startswith("network.")
    }:
        values["network"] = {_FIRST_WEIGHT: values["filters"][-1]} | weights
    settings = Settings.from_json(json.dumps(text["settings"]))
    return Result(
        settings=settings, epochs=[Epoch(*row) for row in zip(*columns, strict=True)], **values
    )


def _polar(gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Length of each filter's gradient (S, F), and its direction; zero where there is none."""
    if not gradients.size:
        return _none(), _none()
    lengths = np.sqrt(np.square(gradients, dtype=np.float64).sum(axis=(2, 3, 4), keepdims=True))
    directions = np.divide(gradients, lengths, out=np.zeros_like(gradients), where=lengths > 0)
    return lengths[..., 0, 0, 0].astype(np.float32), directions


def _changes(bits: np.ndarray) -> np.ndarray:
    """The first row, then what differs from the row before."""
    changes = bits.astype(bool)
    changes[1:] ^= bits[:-1].astype(bool)
    return changes


def read_result(path: Path) -> Result:
    """A finished run's record.

    Examples
    --------
    >>> import tempfile
    >>> from companion.runs.run import execute
    >>> settings = Settings(dataset="digits", n_train=64, n_evaluate=32, epochs=2, widths=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = execute(settings, folder)
    ...     read_result(Path(folder) / "result.npz").settings == settings
    True
    """
    try:
        return unpack_result(path.read_bytes(), path)
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror}") from error
