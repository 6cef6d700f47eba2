"""Where a run was made: the code, the machine and the versions, for its record."""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from .settings import Settings

# What a run passes through: every module that `execute` imports, directly or not.
MAKES_RUNS = (
    "patchinit/patches.py",
    "patchinit/moments.py",
    "patchinit/layers.py",
    "patchinit/init.py",
    "patchinit/filters/bank.py",
    "patchinit/filters/baselines.py",
    "patchinit/filters/clusters.py",
    "patchinit/filters/components.py",
    "patchinit/filters/measures.py",
    "patchinit/filters/methods.py",
    "patchinit/data/catalogue.py",
    "patchinit/data/download.py",
    "patchinit/data/folders.py",
    "patchinit/data/images.py",
    "patchinit/data/load.py",
    "patchinit/data/published.py",
    "patchinit/data/stand_ins.py",
    "companion/runs/augment.py",
    "companion/runs/files.py",
    "companion/runs/plan.py",
    "companion/runs/prepare.py",
    "companion/runs/provenance.py",
    "companion/runs/record.py",
    "companion/runs/run.py",
    "companion/runs/settings.py",
    "companion/runs/simpleconv.py",
    "companion/runs/starts.py",
    "companion/runs/trainer.py",
)
_WORTH_NAMING = ("avx512_bf16", "amx_bf16")  # instructions that decide how bfloat16 is computed


def now() -> str:
    """The time as a record has it.

    Examples
    --------
    >>> len(now()), now()[-1]
    (20, 'Z')
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def about(device: torch.device) -> dict:
    """What a record says of the machine, the versions and the code that make the run.

    Returns
    -------
    dict
        "begun" (UTC); "device" ("cpu" or "cuda"); "hardware" in words; "processor",
        "instruction_set" and "threads"; versions; "code" as `code` has it; on a GPU "flags" too.

    Examples
    --------
    >>> found = about(torch.device("cpu"))
    >>> found["device"], found["torch"] == torch.__version__
    ('cpu', True)
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
        cudnn = torch.backends.cudnn
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
    """The code that is running: "commit", whether it was "dirty", "digest" of what makes runs.

    The first two are None outside git.

    Examples
    --------
    >>> sorted(code()), len(code()["digest"])
    (['commit', 'digest', 'dirty'], 16)
    """
    here = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for name in MAKES_RUNS:
        digest.update(name.encode() + (here / name).read_bytes())
    commit = dirty = None
    # Asked for this file: a package installed somewhere inside another repository
    # is no part of that one.
    if _git(here, "ls-files", "--error-unmatch", __file__) is not None:
        commit = (_git(here, "rev-parse", "HEAD") or "").strip() or None
        dirty = bool(_git(here, "status", "--porcelain", "--", "."))
    return {"commit": commit, "dirty": dirty, "digest": digest.hexdigest()[:16]}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def code_of(about: dict) -> dict:
    """The code of a record as `code` has it.

    The first records had a digest of the whole package and nothing else.

    Examples
    --------
    >>> code_of({"code": "07ca384401816c87"})
    {'commit': None, 'dirty': None, 'digest': '07ca384401816c87'}
    """
    found = about["code"]
    return found if isinstance(found, dict) else {"commit": None, "dirty": None, "digest": found}


def conditions(settings: Settings, about: dict) -> dict:
    """What two runs must share to be compared as a pair.

    That is "device", "precision" and the digest of the "code".

    Examples
    --------
    >>> conditions(Settings(precision="bf16"), {"device": "cpu", "code": "07ca384401816c87"})
    {'device': 'cpu', 'precision': 'bf16', 'code': '07ca384401816c87'}
    """
    device = about.get("device") or ("cpu" if "thread" in about["hardware"] else "cuda")
    return {"device": device, "precision": settings.precision, "code": code_of(about)["digest"]}


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
