"""Banks of filters on disk, as safetensors: their numbers, and a JSON text of the rest."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from .bank import FilterBank, check_shape
from .clusters import Clusters
from .components import PrincipalComponents

#: Of what the key "bank" holds; to be raised when a reader of the old one would go wrong.
VERSION = 1
_CLASSES = {kind.__name__: kind for kind in (FilterBank, PrincipalComponents, Clusters)}
_DTYPES = (np.dtype("float64"), np.dtype("float32"))  # of what was learned, and of the filters


def save_bank(bank: FilterBank, path: str | os.PathLike) -> None:
    """`FilterBank.save`."""
    kind = type(bank).__name__
    if _CLASSES.get(kind) is not type(bank):
        raise ValueError(f"bank is a {kind}; one of {', '.join(_CLASSES)} can be saved")
    values = {field.name: getattr(bank, field.name) for field in dataclasses.fields(bank)}
    # In C order: the package saves anything else wrong, without a word.
    arrays = {
        name: np.ascontiguousarray(_numbers(value), _DTYPES[name == "filters"])
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    for name, array in arrays.items():
        _check(name, array)
    known = {name: value for name, value in values.items() if name not in arrays}
    about = {"version": VERSION, "class": kind} | known
    text = json.dumps(about, sort_keys=True, allow_nan=False, default=_plain)
    # One key, since several come in random order: the same bank has the same bytes.
    data = save(arrays, metadata={"bank": text})
    try:
        _parsed(data)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"this bank could not be loaded again: {_cause(error)}") from error
    write_aside(Path(path), data)


def load_bank(path: str | os.PathLike) -> FilterBank:
    """`FilterBank.load`."""
    try:
        return _parsed(Path(path).read_bytes())
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{os.fspath(path)} is no bank of filters: {_cause(error)}") from error


def _parsed(data: bytes) -> FilterBank:
    try:
        arrays = load(data)
    except (SafetensorError, KeyError, TypeError) as error:
        text = f"it is not in the safetensors format, or damaged or cut short ({error})"
        raise ValueError(text) from error
    length = int.from_bytes(data[:8], "little")  # of the header, which `load` has checked
    try:
        about = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["bank"])
        version = about.pop("version", None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("its header has no text under the key 'bank'") from error
    if version != VERSION:
        raise ValueError(
            f"it has version {version!r} of the format, and this patchinit reads version "
            f"{VERSION}; use the patchinit that wrote it, or make the bank again"
        )
    kind = _CLASSES[about.pop("class")]
    fields: dict[str, Any] = about
    fields["beside"] = tuple(about["beside"])
    fields["parts"] = tuple((str(name), int(count)) for name, count in about["parts"])
    for name, array in arrays.items():
        if array.dtype != _DTYPES[name == "filters"]:
            raise ValueError(f"{name} has dtype {array.dtype}, not {_DTYPES[name == 'filters']}")
        _check(name, array)
        fields[name] = torch.tensor(array)
    if "filters" not in arrays or not isinstance(fields["method"], str):
        raise ValueError("it holds no filters, or their method has no name")
    return kind(**fields)


def _check(name: str, array: np.ndarray) -> None:
    """ValueError unless an array can be a bank's filters, or one number for each of something."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    if name == "filters":
        check_shape(array.shape)
    elif array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, and should have one axis")


def _numbers(value: Tensor) -> np.ndarray:
    """A tensor of any floating-point dtype, of which numpy has but the common ones."""
    value = value.detach().cpu()
    return (value if value.dtype == torch.float64 else value.float()).numpy()


def _plain(value: Any) -> Any:
    """A number of numpy or torch as one of Python."""
    if hasattr(value, "item"):
        return value.item()
    raise ValueError(f"settings hold a {type(value).__name__}, which JSON can't")


def _cause(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def write_aside(path: Path, data: bytes) -> None:
    """Write a file under another name and put it in its place whole."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:  # which names the other
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            aside.unlink()
