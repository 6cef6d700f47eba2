"""What a process that makes runs sets for all of itself, before the first step."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import torch


def prepare_process(device: str | torch.device, precision: str) -> None:
    """Set the flags that runs need on a device; for whoever owns the process, not a library.

    On a GPU all that torch does on "the current device" is done on this one, repeatably, and in
    this precision. On a CPU freed memory is kept for the next step.
    """
    device = torch.device(device)
    if device.type != "cuda":
        _keep_freed_memory()
        return
    torch.cuda.set_device(device)
    # Else matrix products are not repeatable.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    for place in _fp32_places():
        place.fp32_precision = _gpu_precision(precision)


def is_prepared(device: torch.device, precision: str) -> bool:
    """Whether a GPU computes fp32 as a run of this precision asks; a CPU always does."""
    wanted = _gpu_precision(precision)
    return device.type != "cuda" or all(p.fp32_precision == wanted for p in _fp32_places())


def _fp32_places() -> tuple[Any, Any]:
    """Where torch keeps how a GPU's convolutions and products compute fp32."""
    cudnn: Any = torch.backends.cudnn  # its annotations lack the attribute
    return cudnn.conv, torch.backends.cuda.matmul


def _gpu_precision(precision: str) -> str:
    return "tf32" if precision == "tf32" else "ieee"


def _keep_freed_memory() -> None:
    """Let the process keep freed maps' memory for the next step, where the C library is glibc.

    By default maps of several megabytes are given back to the kernel and come again as zeroed
    pages, 10,000 of them a step: up to a third of the time (benchmarks/training.py).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3  # <malloc.h>
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_top_pad, 64 << 20)
