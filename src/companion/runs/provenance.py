"""Where a run was made: the code, the machine and the versions, for its record."""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import platform
import subprocess
import time
import tokenize
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .settings import Settings

# Every module that `execute` imports, directly or not, is in one of the two lists. Those of the
# first make a run's numbers, and their text without comments is what its digest is of.
MAKES_NUMBERS = (
    "patchinit/patches.py",
    "patchinit/stem.py",
    "patchinit/moments.py",
    "patchinit/layers.py",
    "patchinit/init.py",
    "patchinit/filters/bank.py",
    "patchinit/filters/baselines.py",
    "patchinit/filters/clusters.py",
    "patchinit/filters/components.py",
    "patchinit/filters/lloyd.py",
    "patchinit/filters/measures.py",
    "patchinit/filters/methods.py",
    "patchinit/data/catalogue.py",
    "patchinit/data/images.py",
    "patchinit/data/load.py",
    "patchinit/data/stand_ins.py",
    "companion/runs/batches.py",
    "companion/runs/captured_step.py",
    "companion/runs/course.py",
    "companion/runs/prepare.py",
    "companion/runs/process.py",
    "companion/runs/settings.py",
    "companion/simpleconv.py",
    "companion/starts.py",
    "companion/runs/trainer.py",
)
# These find the files of a data set, or keep what was measured.
KEEPS_NUMBERS = (
    "patchinit/data/download.py",
    "patchinit/data/folders.py",
    "patchinit/data/pictures.py",
    "patchinit/data/batches.py",
    "patchinit/data/published.py",
    "companion/runs/files.py",
    "companion/runs/plan.py",
    "companion/runs/provenance.py",
    "companion/runs/record.py",
    "companion/runs/run.py",
)
_WORTH_NAMING = ("avx512_bf16", "amx_bf16")  # instructions that decide how bfloat16 is computed


def now() -> str:
    """The time as a record has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def about(device: torch.device) -> dict:
    """What a record says of the machine, the versions and the code that make the run.

    On a GPU of its flags too.
    """
    processor, threads = _processor(), torch.get_num_threads()
    found = {
        "begun": now(),
        "device": device.type,
        "hardware": f"{processor}, {threads} thread{'s'[: threads > 1]}",
        "processor": processor,
        "instruction_set": _instruction_set(),
        "threads": threads,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": _version("scikit-learn"),
        "code": code(),
    }
    if device.type == "cuda":
        cudnn: Any = torch.backends.cudnn  # its annotations lack `conv`
        found["hardware"] = torch.cuda.get_device_name(device)
        found["flags"] = {
            "cuda": torch.version.cuda,
            "cudnn": cudnn.version(),
            "deterministic": cudnn.deterministic,
            "benchmark": cudnn.benchmark,
            "convolutions": cudnn.conv.fp32_precision,
            "products": torch.backends.cuda.matmul.fp32_precision,
        }
    return found


@functools.cache
def code() -> dict:
    """The code that is running: "commit", whether it was "dirty", "digest" of what it means.

    The first two are None outside git. The digest is that of the modules that make a run's
    numbers, as `meaning` has them.
    """
    here = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for name in MAKES_NUMBERS:
        text = (here / name).read_text(encoding="utf-8")
        digest.update(f"{name}\n{meaning(text)}\n".encode())
    commit = dirty = None
    # Asked for this file: a package installed somewhere inside another repository
    # is no part of that one.
    if _git(here, "ls-files", "--error-unmatch", __file__) is not None:
        commit = (_git(here, "rev-parse", "HEAD") or "").strip() or None
        dirty = bool(_git(here, "status", "--porcelain", "--", "."))
    return {"commit": commit, "dirty": dirty, "digest": digest.hexdigest()[:16]}


def meaning(source: str) -> str:
    """The text of a module without comments, docstrings, blank lines and blanks at lines' ends.

    They are cut out by their places. So it is the same on every Python, which the syntax tree and
    the tokens written out again are not.
    """
    lines = source.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline)
    cuts = [(*token.start, *token.end) for token in tokens if token.type == tokenize.COMMENT]
    cuts += _docstrings(ast.parse(source), lines)
    for first, left, last, right in sorted(cuts, reverse=True):
        lines[first - 1 : last] = [lines[first - 1][:left] + lines[last - 1][right:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _docstrings(tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Line and column of the beginning and the end of each; ast counts columns in bytes."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            it = node.body[0]
            last, end = it.end_lineno or it.lineno, it.end_col_offset or 0
            left, right = (
                len(lines[line - 1].encode()[:column].decode())
                for line, column in ((it.lineno, it.col_offset), (last, end))
            )
            yield it.lineno, left, last, right


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def conditions(settings: Settings, about: dict) -> dict:
    """What two runs must share to be compared: "device", "precision", digest of the "code"."""
    return {
        "device": about["device"],
        "precision": settings.precision,
        "code": about["code"]["digest"],
    }


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _instruction_set() -> str:
    flags = _cpuinfo("flags").split()
    return " ".join(
        [
            torch.backends.cpu.get_cpu_capability(),
            *(flag for flag in _WORTH_NAMING if flag in flags),
        ]
    )


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
