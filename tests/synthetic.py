"""Results with a known outcome, written by the code that writes real ones."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from companion.evidence.arms import ArmKey
from companion.runs.collect import collect
from companion.runs.course import snapshot_epochs
from companion.runs.plan import plan
from companion.runs.record import Result, pack_result
from companion.runs.settings import Settings
from companion.runs.studies import STUDIES
from companion.runs.trainer import Epoch

N_TEST = 2_000
ABOUT = {
    "begun": "2026-01-01T00:00:00Z", "ended": "2026-01-01T01:00:00Z", "device": "cpu", "threads": 1,
    "hardware": "a machine that is not", "processor": "none", "instruction_set": "AVX0",
    "python": "3", "torch": "2", "numpy": "2", "scikit-learn": "1",
    "code": {"commit": "c0ffee", "dirty": False, "digest": "0" * 16}, "earlier": [],
}  # fmt: skip

OfArm = Callable[[str, ArmKey], float]  # (data set, arm) -> value


def write_study(
    root: Path,
    name: str,
    *,
    accuracy: OfArm = lambda dataset, arm: 80.0,
    slowness: OfArm = lambda dataset, arm: 5.0,
    distance: Callable[[str, ArmKey, np.ndarray], np.ndarray] = lambda dataset, arm, index: (
        0.1 + 0 * index
    ),
    rough: OfArm = lambda dataset, arm: 1.0,
    noise: float = 0.05,
    seeds: range | None = None,
    keep: Callable[[Settings], bool] = lambda settings: True,
    about: Callable[[Settings], dict] = lambda settings: {},
) -> Path:
    """``root/results/name`` with runs that end at ``accuracy`` percent.

    Between seeds that is to within ``noise`` points. ``slowness`` is the number of epochs in which
    the way to the end falls to a third, ``distance`` each filter's cosine distance at the end
    (index 0 to 1 over the bank), ``rough`` how much of independent noise the filters hold beside a
    constant, which is one cosine wave, ``about`` in what a run was made otherwise than the rest.
    """
    runs = plan(STUDIES[name], seeds)
    folder = root / f"synthetic-{name}"
    for run in runs:
        if keep(run.settings):
            of = ArmKey(**STUDIES[name].arms[run.arm])
            rng = np.random.default_rng(zlib.crc32(run.name.encode()))
            end = accuracy(run.settings.dataset, of) + noise * rng.standard_normal()
            result = _result(run.settings, of, end, rng, slowness, distance, rough)
            result = dataclasses.replace(result, about=ABOUT | about(run.settings))
            run.record(folder).parent.mkdir(parents=True, exist_ok=True)
            run.record(folder).write_bytes(pack_result(result))
    collect(STUDIES[name], folder, root / "results", f"python -m companion collect {name}")
    return root / "results" / name


def _result(settings, of, end, rng, slowness, distance, rough) -> Result:
    n, channels, n_filters = (
        settings.epochs,
        *((1, 9) if settings.dataset == "fashion_mnist" else (3, 27)),
    )
    times = np.arange(1, n + 1)
    course = (
        end
        * (1 - np.exp(-times / slowness(settings.dataset, of)))
        / (1 - np.exp(-n / slowness(settings.dataset, of)))
    )
    epochs = [
        Epoch(int(t), 1.0, 1.0, float(a / 100), settings.rate(int(t)), 1.0)
        for t, a in zip(times, course, strict=True)
    ]
    d = channels * 9
    amount = rough(settings.dataset, of)
    start = rng.standard_normal((n_filters, d)) * amount**0.5 + (1 - min(amount, 1.0)) ** 0.5
    own = 0.45 if settings.method == "glorot_uniform" else 1.0
    norm = {"own": own, "glorot": 0.45}.get(settings.norm, settings.norm)
    start *= norm / np.linalg.norm(start, axis=1, keepdims=True)
    # Turned by the angle whose cosine distance is wanted, towards a direction at right angles.
    across = rng.standard_normal((n_filters, d)) * amount**0.5 + (1 - min(amount, 1.0)) ** 0.5
    across -= (across * start).sum(1, keepdims=True) / norm**2 * start
    across *= norm / np.linalg.norm(across, axis=1, keepdims=True)
    wanted = distance(settings.dataset, of, np.linspace(0, 1, n_filters)) * np.exp(
        0.02 * rng.standard_normal()
    )
    shares = np.concatenate([[0.0], 1 - np.exp(-times / 5)])
    distances = shares[:, None] * wanted
    keep = np.array(snapshot_epochs(n))
    cosines = 1 - distances[keep][:, :, None]
    filters = cosines * start + np.sqrt(1 - cosines**2) * across
    correct = np.zeros(N_TEST, dtype=bool)
    correct[: round(end / 100 * N_TEST)] = True
    return Result(
        settings,
        epochs,
        np.full((n + 1, n_filters), norm, dtype=np.float32),
        distances.astype(np.float32),
        keep,
        filters.reshape(len(keep), n_filters, channels, 3, 3).astype(np.float32),
        correct,
        1.0,
        False,
        ABOUT,
        learned={"eigenvalues": np.linspace(2, 0.1, d).tolist()}
        if of.method == "principal_components"
        else {},
    )
