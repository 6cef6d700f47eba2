"""Finished runs gathered into a few tables, small enough to be committed: what the book reads."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .runs import Result, RunRefused, unpack_result
from .storage import StorageError
from .studies import PlannedRun, Study

def record_path(run: PlannedRun, folder: Path, results: Path) -> Path | None:
    """Where the record of a finished run lies: among the runs, or in what was collected before; None: nowhere."""
    for path in (folder / run.place / "result.npz", results / run.study / "runs" / f"{run.name}.npz"):
        if path.exists():
            return path
    return None


def collect(study: Study, runs: list[PlannedRun], folder: Path, results: Path, command: str) -> Path:
    """Write ``results/<study>/`` from the runs that are finished, and those that were collected before.

    runs.csv
        A line a run: data set, arm, seed, accuracy at the end and as the mean of the last ten
        epochs, losses, how far the filters turned, seconds, whether it diverged.
    epochs.csv
        A line an epoch of a run: losses, accuracy (0 to 1), rate, seconds, mean norm and median
        cosine distance of the first layer's filters.
    runs/<run>.npz
        The record of each run, for `patchinit.runs.read_result`: the first layer at about 25
        epochs, every filter's norm and distance by epoch, the images classified correctly at the
        end, settings, versions, hardware.
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
        What was collected on another machine or another day and lies there already stays.
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
    found, contents = {}, {}
    for run in runs:
        if path := record_path(run, folder, results):
            content = path.read_bytes()
            result = unpack_result(content, path)
            if difference := result.settings.differences(run.settings):
                raise RunRefused(f"{path} is of other settings than the study's ({difference}); move it away")
            found[run.name] = (run, result)
            contents[f"runs/{run.name}.npz"] = content
    if not found:
        raise RunRefused(f"no run of {study.name!r} is finished in {folder}; make some: patchinit run {study.name}")
    contents["runs.csv"] = _table(_run_row(run, result) for run, result in found.values())
    contents["epochs.csv"] = _table(row for run, result in found.values() for row in _epoch_rows(run, result))
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


def _table(rows) -> bytes:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


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
            (aside / name).parent.mkdir(exist_ok=True)
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
