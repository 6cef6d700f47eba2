"""Banks of filters on disk, in the safetensors format: a length, a header in JSON, the numbers.

The format is fixed and small, so nothing is needed that the method does without; the package
safetensors reads and writes the same files.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .bank import FilterBank, check_shape
from .clusters import Clusters
from .components import PrincipalComponents

#: Of what the key "bank" holds; to be raised when a reader of the old one would go wrong.
VERSION = 1
_CLASSES = {kind.__name__: kind for kind in (FilterBank, PrincipalComponents, Clusters)}
_DTYPES = {"F64": "<f8", "F32": "<f4"}
_LONGEST = 100_000_000  # bytes of a header, by the format


def save_bank(bank: FilterBank, path: str | os.PathLike) -> None:
    """`FilterBank.save`."""
    kind = type(bank).__name__
    if _CLASSES.get(kind) is not type(bank):
        raise ValueError(f"bank is a {kind}; one of {', '.join(_CLASSES)} can be saved")
    values = {field.name: getattr(bank, field.name) for field in dataclasses.fields(bank)}
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    known = {name: value for name, value in values.items() if name not in tensors}
    arrays = {
        name: np.ascontiguousarray(
            value.detach().cpu().numpy(), _DTYPES["F32" if name == "filters" else "F64"]
        )
        for name, value in tensors.items()
    }
    for name, array in arrays.items():
        _check(name, array)
    about = {"version": VERSION, "class": kind} | known
    text = json.dumps(about, sort_keys=True, allow_nan=False, default=_plain)
    header: dict[str, Any] = {"__metadata__": {"bank": text}}
    end = 0
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # each at its multiple
    for name in names:
        start, end = end, end + arrays[name].nbytes
        dtype = "F32" if name == "filters" else "F64"
        header[name] = {
            "dtype": dtype, "shape": list(arrays[name].shape), "data_offsets": [start, end]
        }  # fmt: skip
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    data = b"".join([len(head).to_bytes(8, "little"), head, *(arrays[n].tobytes() for n in names)])
    write_aside(Path(path), data)


def load_bank(path: str | os.PathLike) -> FilterBank:
    """`FilterBank.load`."""
    try:
        return _parsed(Path(path))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{os.fspath(path)} is no bank of filters: {_cause(error)}") from error


def _parsed(path: Path) -> FilterBank:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_LONGEST, path.stat().st_size - 8):
            raise ValueError("it is not in the safetensors format, or cut short")
        try:
            header = json.loads(file.read(length))
            about = json.loads(header.pop("__metadata__")["bank"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("its header has no text under the key 'bank'") from error
        if (version := about.pop("version", None)) != VERSION:
            raise ValueError(
                f"it has version {version!r} of the format, and this patchinit reads version "
                f"{VERSION}; use the patchinit that wrote it, or make the bank again"
            )
        data = file.read()
    kind = _CLASSES[about.pop("class")]
    fields: dict[str, Any] = about
    fields["beside"] = tuple(about["beside"])
    fields["parts"] = tuple((str(name), int(count)) for name, count in about["parts"])
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        size = dtype.itemsize * math.prod(entry["shape"])
        if entry["data_offsets"] != [end, end + size] or end + size > len(data):
            raise ValueError(f"{name!r} lies outside of its data, or it is cut short")
        array = np.frombuffer(data[end : end + size], dtype).reshape(entry["shape"])
        _check(name, array)
        fields[name], end = torch.tensor(array.astype(dtype.newbyteorder("="))), end + size
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many lie behind its data")
    if fields["filters"].dtype != torch.float32 or not isinstance(fields["method"], str):
        raise ValueError("its filters are not float32, or their method has no name")
    return kind(**fields)


def _check(name: str, array: np.ndarray) -> None:
    """ValueError unless an array can be a bank's filters, or one number for each of something."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    if name == "filters":
        check_shape(array.shape)
    elif array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, and should have one axis")


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
    finally:
        aside.unlink(missing_ok=True)
