"""Finished runs gathered into a few tables, small enough to be committed: what the book reads."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .runs import Result, RunRefused, read_result
from .storage import StorageError
from .studies import PlannedRun, Study

FILES = ("runs.csv", "epochs.csv", "filters.npz", "correct.npz")


def collect(study: Study, runs: list[PlannedRun], folder: Path, results: Path, command: str) -> Path:
    """Write ``results/<study>/`` from the runs that are finished.

    runs.csv
        A line a run: data set, arm, seed, accuracy at the end and as the mean of the last ten
        epochs, losses, how far the filters turned, seconds, whether it diverged.
    epochs.csv
        A line an epoch of a run: losses, accuracy (0 to 1), rate, seconds, mean norm and median
        cosine distance of the first layer's filters.
    filters.npz
        For each run, by its name: the first layer at about 25 epochs (S, F, C, kh, kw), float32 at
        the start and the end and float16 between; ``<name>.epochs`` says which, ``<name>.distances``
        (epochs + 1, F) and ``<name>.norms`` hold every epoch, float16.
    correct.npz
        For each run, the images classified correctly at the end, as packed bits.
    manifest.json
        Settings, seeds, versions, hardware, digests of code and files, dates, the command.

    Parameters
    ----------
    study : Study
    runs : list of PlannedRun
        All that were planned; those not finished are counted in the manifest and left out.
    folder : path
        Of the runs' folders.
    results : path
    command : str
        That was given, for the manifest.

    Returns
    -------
    Path
        The folder written, whole: a reader sees the old tables or the new ones.

    Raises
    ------
    RunRefused
        No run is finished, or one is damaged or of other settings than planned.
    StorageError
        The folder can't be written.
    """
    found = {}
    for run in runs:
        path = folder / run.name / "result.npz"
        if path.exists():
            found[run.name] = (run, read_result(path))
            if difference := found[run.name][1].settings.differences(run.settings):
                raise RunRefused(f"{path} is of other settings than the study's ({difference}); move it away")
    if not found:
        raise RunRefused(f"no run of {study.name!r} is finished in {folder}; make some: patchinit run {study.name}")
    contents = {
        "runs.csv": _table(_run_row(run, result) for run, result in found.values()),
        "epochs.csv": _table(row for run, result in found.values() for row in _epoch_rows(run, result)),
        "filters.npz": _arrays(_filters, found),
        "correct.npz": _arrays(lambda name, result: {name: np.packbits(result.correct)}, found),
    }
    manifest = _manifest(study, runs, found, contents, command)
    contents["manifest.json"] = (json.dumps(manifest, indent=1) + "\n").encode()
    return _replace_folder(results / study.name, contents)


def _run_row(run: PlannedRun, result: Result) -> dict:
    accuracies = [epoch.test_accuracy for epoch in result.epochs]
    return {
        "run": run.name,
        "dataset": run.settings.dataset,
        "arm": run.arm,
        "method": run.settings.method,
        "seed": run.settings.seed,
        "final_accuracy": round(float(result.correct.mean()), 6),
        "last_ten_accuracy": round(float(np.mean(accuracies[-10:])), 6),
        "final_loss": round(result.final_loss, 6),
        "final_train_loss": round(result.epochs[-1].train_loss, 6),
        "start_norm": round(float(result.norms[0].mean()), 6),
        "final_norm": round(float(result.norms[-1].mean()), 6),
        "median_distance": _short(np.median(result.distances[-1])),
        "epochs": len(result.epochs),
        "seconds": round(sum(epoch.seconds for epoch in result.epochs), 1),
        "diverged": result.diverged,
    }


def _epoch_rows(run: PlannedRun, result: Result):
    start = {"epoch": 0, "mean_norm": result.norms[0].mean(), "median_distance": 0.0}
    for index, epoch in enumerate([None, *result.epochs]):
        measured = start if epoch is None else asdict(epoch) | {
            "mean_norm": result.norms[index].mean(), "median_distance": np.median(result.distances[index]),
        }  # fmt: skip
        yield {"run": run.name} | {
            name: measured["epoch"] if name == "epoch" else _short(measured[name]) if name in measured else ""
            for name in (
                "epoch", "train_loss", "test_loss", "test_accuracy", "learning_rate", "seconds", "mean_norm",
                "median_distance",
            )
        }  # fmt: skip


def _short(value: float) -> str:
    """Six significant digits, of the last of which nothing depends."""
    return f"{float(value):.6g}"


def _filters(name: str, result: Result) -> dict[str, np.ndarray]:
    return {
        name: result.filters[1:-1].astype(np.float16),
        f"{name}.ends": result.filters[[0, -1]].astype(np.float32),
        f"{name}.epochs": result.filter_epochs,
        f"{name}.distances": result.distances.astype(np.float16),
        f"{name}.norms": result.norms.astype(np.float16),
    }


def _table(rows) -> bytes:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _arrays(of: Callable[[str, Result], dict[str, np.ndarray]], found: dict) -> bytes:
    buffer = io.BytesIO()
    arrays = {key: value for name, (_, result) in found.items() for key, value in of(name, result).items()}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _manifest(study: Study, runs: list[PlannedRun], found: dict, contents: dict, command: str) -> dict:
    results = [result for _, result in found.values()]
    first = runs[0].settings
    shared = {key: value for key, value in asdict(first).items() if key not in ("dataset", "seed")}
    for run in runs:
        shared = {key: value for key, value in shared.items() if asdict(run.settings)[key] == value}
    return {
        "study": study.name,
        "question": study.question,
        "reduced": study.reduced,
        "command": command,
        "collected": time.strftime("%Y-%m-%d", time.gmtime()),
        "begun": sorted({result.about["begun"][:10] for result in results}),
        "runs_planned": len(runs),
        "runs_finished": len(found),
        "runs_diverged": sum(result.diverged for result in results),
        "seeds": sorted({result.settings.seed for result in results}),
        "n_evaluated": sorted({len(result.correct) for result in results}),
        "settings": shared,
        "arms": {arm: own for arm, own in study.arms.items()},
        **{
            key: sorted({str(result.about[key]) for result in results})
            for key in ("hardware", "python", "torch", "numpy", "scikit-learn", "code")
        },
        "resumed_elsewhere": sorted(name for name, (_, r) in found.items() if any(r.about.get("earlier", []))),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }


def _replace_folder(folder: Path, contents: dict[str, bytes]) -> Path:
    aside, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, content in contents.items():
            (aside / name).write_bytes(content)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        aside.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise StorageError(f"{folder} could not be written: {error.strerror or error}. What was there is intact") from error
    return folder
