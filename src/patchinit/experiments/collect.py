"""Finished runs gathered into a few tables, small enough to be committed: what the book reads.

No folder is moved. A record never changes once it is made, so each is put beside the others whole,
then the tables, then ``manifest.json``, which lists every file with its digest. Readers trust the
manifest alone: killed anywhere before its last rename, a collect leaves them what they had, and the
next one takes up the records that are there already.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .files import StorageError, only_here, remove_leftovers, settle, write_whole
from .plan import PlannedRun, Study, plan
from .provenance import code_of, conditions
from .record import Result, RunRefused, unpack_result
from .registration import Registration, read_registration

Found = dict[PlannedRun, tuple[Result, bytes]]  # each record as it reads and as it is


def collect(study: Study, folder: Path, results: Path, command: str) -> dict:
    """Write ``results/<study>/``: every finished run of the study, and every one collected before.

    runs.csv
        A line a run: data set, arm, seed, accuracy at the end and as the mean of the last ten
        epochs, losses, how far the filters turned, seconds, whether it diverged; device, precision,
        processor and its instruction set, commit and digest of the code, when it began and ended.
    epochs.csv
        A line an epoch of a run: losses, accuracy (0 to 1), rate, seconds, mean norm and median
        cosine distance of the first layer's filters.
    runs/<run>.npz
        The record of each run, for `patchinit.experiments.record.read_result`: the first layer at
        about 25 epochs, every filter's norm and distance by epoch, the images classified correctly
        at the end, settings, versions, hardware.
    manifest.json
        Settings, seeds, versions, hardware, the command, digests of the files; which runs were
        resumed under other conditions, which arms of a seed were made under unlike ones, and which
        runs were begun before the protocol was registered.

    What a run is follows from its settings, not from its name; seeds beyond the planned ones are
    welcome. Files that would not change are not written.

    Parameters
    ----------
    study : Study
    folder : path
        Of the runs' folders.
    results : path
        What was collected on another machine or another day and lies there already stays.
    command : str
        That was given, for the manifest.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    RunRefused
        No run is finished, or a record is damaged, or of no arm's settings, or differs from one
        collected before. Nothing is written then.
    StorageError
        The folder can't be read or written, or lacks a record that its manifest lists.
    FolderBusy
        Another process is collecting this study.
    """
    own = results / study.name
    if not any(_records(study, folder, results)):
        raise RunRefused(
            f"no run of {study.name!r} is finished in {folder}; "
            f"make some: patchinit run {study.name}"
        )
    with only_here(own):
        remove_leftovers(own)
        remove_leftovers(own / "runs")
        found = _gather(study, folder, results)
        _check_complete(own, found)
        contents = {f"runs/{run.name}.npz": content for run, (_, content) in found.items()}
        contents["runs.csv"] = _table(_run_row(run, result) for run, (result, _) in found.items())
        contents["epochs.csv"] = _table(
            row for run, (result, _) in found.items() for row in _epoch_rows(run, result)
        )
        manifest = _manifest(study, found, read_registration(results), contents, command)
        for name, content in contents.items():
            _write_changed(own / name, content)
        settle(own / "runs")
        settle(own)
        text, before = json.dumps(manifest, indent=1) + "\n", read_manifest(own)
        if before is None or _lasting(before) != _lasting(json.loads(text)):
            write_whole(own / "manifest.json", text.encode())
        for path in (own / "runs").glob("*.npz"):
            if f"runs/{path.name}" not in contents:
                path.unlink()  # of an arm that has another name now: the same bytes lie under that
    return manifest


def read_manifest(folder: Path) -> dict | None:
    """The manifest of a collected study, None without one. StorageError if it can't be read."""
    path = folder / "manifest.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} can't be read ({error}); restore it: git checkout {path}"
        ) from error


def _records(study: Study, folder: Path, results: Path) -> list[Path]:
    """Every record of the study, collected ones first, whatever its seed and data set."""
    collected = sorted((results / study.name / "runs").glob("*.npz"))
    return collected + sorted((folder / study.name).glob("*/result.npz"))


def _gather(study: Study, folder: Path, results: Path) -> Found:
    """All records by run, in the order of seed, data set and arm.

    So a new run is a new line between old ones.
    """
    found: Found = {}
    source: dict[PlannedRun, Path] = {}
    for path in _records(study, folder, results):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StorageError(f"{path} could not be read: {error.strerror or error}") from error
        result = unpack_result(content, path)
        run = study.run_of(result.settings)
        if run is None:
            nearest = _nearest(study, result)
            raise RunRefused(
                f"{path} has the settings of no arm of {study.name!r} ({nearest}); move it away"
            )
        if run in found and found[run][1] != content:
            raise RunRefused(
                f"{source[run]} and {path} are of one run and differ; move one of them away"
            )
        found.setdefault(run, (result, content))
        source.setdefault(run, path)
    arms, datasets = list(study.arms), study.datasets

    def place(run: PlannedRun) -> tuple[int, int, int]:
        return run.settings.seed, datasets.index(run.settings.dataset), arms.index(run.arm)

    return {run: found[run] for run in sorted(found, key=place)}


def _nearest(study: Study, result: Result) -> str:
    """In what a record differs from the arm that it is nearest to."""
    settings = result.settings
    if settings.dataset not in study.datasets:
        return f"dataset: {settings.dataset!r}"
    texts = [
        settings.differences(study.settings(arm, settings.dataset, settings.seed))
        for arm in study.arms
    ]
    return min(texts, key=lambda text: text.count("->"))


def _check_complete(own: Path, found: Found) -> None:
    """What the manifest lists must be there as it was: a collect mends no loss by forgetting it."""
    digests = {hashlib.sha256(content).hexdigest() for _, content in found.values()}
    for name, digest in (read_manifest(own) or {"files": {}})["files"].items():
        if name.startswith("runs/") and digest not in digests:
            raise StorageError(
                f"{own / name} is missing, or not the file that manifest.json lists; "
                f"restore it: git checkout {own}. To drop it for good, delete manifest.json too"
            )


def _write_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)


def _lasting(manifest: dict) -> dict:
    """What does not change from one collect of the same runs to the next."""
    return {key: value for key, value in manifest.items() if key not in ("command", "collected")}


def _run_row(run: PlannedRun, result: Result) -> dict:
    accuracies = [epoch.test_accuracy for epoch in result.epochs]
    about = result.about
    code, under = code_of(about), conditions(result.settings, about)
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
        "device": under["device"],
        "precision": under["precision"],
        "processor": about.get("processor", ""),
        "instruction_set": about.get("instruction_set", ""),
        "commit": (code["commit"] or "") + ("-dirty" if code["dirty"] else ""),
        "code": code["digest"],
        "begun": about["begun"],
        "ended": about.get("ended", ""),
    }


def _epoch_rows(run: PlannedRun, result: Result):
    start = {"epoch": 0, "mean_norm": result.norms[0].mean(), "median_distance": 0.0}
    for index, epoch in enumerate([None, *result.epochs]):
        measured = start if epoch is None else asdict(epoch) | {
            "mean_norm": result.norms[index].mean(),
            "median_distance": np.median(result.distances[index]),
        }  # fmt: skip
        yield {"run": run.name} | {
            name: measured["epoch"] if name == "epoch"
            else _short(measured[name]) if name in measured else ""
            for name in (
                "epoch", "train_loss", "test_loss", "test_accuracy", "learning_rate", "seconds",
                "mean_norm", "median_distance",
            )
        }  # fmt: skip


def _short(value: float) -> str:
    """Six significant digits, of the last of which nothing depends."""
    return f"{float(value):.6g}"


def _table(rows: Iterable[dict]) -> bytes:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _manifest(
    study: Study, found: Found, registration: Registration, contents: dict, command: str
) -> dict:
    planned = plan(study)
    results = [result for result, _ in found.values()]
    abouts = [result.about for result in results]
    shared = asdict(planned[0].settings)
    for run in planned[1:]:
        shared = {key: value for key, value in shared.items() if asdict(run.settings)[key] == value}
    own = {
        "registration": registration.commit
        and {"commit": registration.commit, "date": registration.date},
        "before_registration": [
            run.name
            for run, (result, _) in found.items()
            if not registration.precedes(result.about["begun"])
        ],
    }
    return {
        "study": study.name,
        "question": study.question,
        "reduced": study.reduced,
        **(own if study.stage else {}),
        "command": command,
        "collected": time.strftime("%Y-%m-%d", time.gmtime()),
        "begun": sorted({about["begun"][:10] for about in abouts}),
        "runs_planned": len({run.name for run in (*planned, *found)}),
        "runs_finished": len(found),
        "runs_diverged": sum(result.diverged for result in results),
        "seeds": sorted({result.settings.seed for result in results}),
        "n_evaluated": sorted({len(result.correct) for result in results}),
        "settings": {key: value for key, value in shared.items() if key not in ("dataset", "seed")},
        "arms": study.arms,
        **{
            key: sorted({str(about[key]) for about in abouts if about.get(key) is not None})
            for key in (
                "hardware",
                "processor",
                "instruction_set",
                "python",
                "torch",
                "numpy",
                "scikit-learn",
            )
        },
        **{
            key: sorted({conditions(result.settings, result.about)[key] for result in results})
            for key in ("device", "precision", "code")
        },
        "commit": sorted({commit for about in abouts if (commit := code_of(about)["commit"])}),
        "resumed": [run.name for run, (result, _) in found.items() if _resumed(result.about)],
        "mixed": list(_mixed(found, registration)),
        "files": {name: hashlib.sha256(contents[name]).hexdigest() for name in sorted(contents)},
    }


def _resumed(about: dict) -> bool:
    """Whether a run went on after a stop under other conditions, not just at another time."""
    return any(
        set(before) - {"begun", "resumed", "saved", "earlier"}
        for before in about.get("earlier", ())
    )


def _mixed(found: Found, registration: Registration):
    """Each (data set, seed) with arms made on unlike devices or by code that may train otherwise.

    Precision is a setting, so an arm has another one only where the study says so in its name.
    """
    seeds: dict[tuple[str, int], list[Result]] = {}
    for run, (result, _) in found.items():
        seeds.setdefault((run.settings.dataset, run.settings.seed), []).append(result)
    for (dataset, seed), results in seeds.items():
        under = [conditions(result.settings, result.about) for result in results]
        devices = sorted({one["device"] for one in under})
        code = sorted({one["code"] for one in under})
        differing = {"device": devices} if len(devices) > 1 else {}
        if len({registration.training(digest) for digest in code}) > 1:
            differing["code"] = code
        if differing:
            yield {"dataset": dataset, "seed": seed, **differing}
