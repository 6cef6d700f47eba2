"""The tables of collected runs, and the manifest that says what they are."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from .pairing import first_code, registered_code
from .plan import PlannedRun, Study, plan
from .provenance import conditions
from .record import Result
from .registration import Registration

Found = dict[PlannedRun, tuple[Result, bytes]]  # each record as it reads and as it is


def runs_table(found: Found) -> bytes:
    """A line a run."""
    return _table([_run_row(run, result) for run, (result, _) in found.items()])


def epochs_table(found: Found) -> bytes:
    """A line an epoch of a run, its start the first."""
    return _table([row for run, (result, _) in found.items() for row in _epoch_rows(run, result)])


def _run_row(run: PlannedRun, result: Result) -> dict:
    accuracies = [epoch.test_accuracy for epoch in result.epochs]
    about = result.about
    code, under = about["code"], conditions(result.settings, about)
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


_OF_AN_EPOCH = ("train_loss", "test_loss", "test_accuracy", "learning_rate", "seconds")


def _epoch_rows(run: PlannedRun, result: Result) -> Iterator[dict]:
    for index, epoch in enumerate([None, *result.epochs]):
        yield {
            "run": run.name,
            "epoch": index,
            **{name: _short(getattr(epoch, name)) if epoch else "" for name in _OF_AN_EPOCH},
            "mean_norm": _short(result.norms[index].mean()),
            "median_distance": _short(np.median(result.distances[index]) if epoch else 0),
        }


def _short(value: float) -> str:
    """Six significant digits, of the last of which nothing depends."""
    return f"{float(value):.6g}"


def _table(rows: list[dict]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def manifest_of(
    study: Study, found: Found, registration: Registration, files: dict[str, bytes], command: str
) -> dict:
    """What the readers of a collected study trust; `files` are those beside it, by name."""
    planned = plan(study)
    results = [result for result, _ in found.values()]
    abouts = [result.about for result in results]
    shared = asdict(planned[0].settings)
    for run in planned[1:]:
        shared = {key: value for key, value in shared.items() if asdict(run.settings)[key] == value}
    date = registration.stages.get(study.name, registration.date)
    registered = {
        "registration": registration.commit and {"commit": registration.commit, "date": date},
        "before_registration": [
            run.name
            for run, (result, _) in found.items()
            if not registration.precedes(result.about["begun"], study.name)
        ],
    }
    return {
        "study": study.name,
        "question": study.question,
        "reduced": study.reduced,
        **(registered if study.stage else {}),
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
        "commit": sorted({commit for about in abouts if (commit := about["code"]["commit"])}),
        "resumed": [run.name for run, (result, _) in found.items() if _resumed(result.about)],
        "mixed": list(_mixed(found, registration)),
        **({"unlike_code": unlike} if (unlike := _unlike(study, found, registration)) else {}),
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }


def _resumed(about: dict) -> bool:
    """Whether a run went on after a stop under other conditions, not just at another time."""
    return any(
        set(before) - {"begun", "resumed", "saved", "earlier"}
        for before in about.get("earlier", ())
    )


def _by_seed(found: Found) -> dict[tuple[str, int], dict[PlannedRun, Result]]:
    """The runs of each (data set, seed), which are compared with each other."""
    seeds: dict[tuple[str, int], dict[PlannedRun, Result]] = {}
    for run, (result, _) in found.items():
        seeds.setdefault((run.settings.dataset, run.settings.seed), {})[run] = result
    return seeds


def _unlike(study: Study, found: Found, registration: Registration) -> list[str]:
    """Runs made by other code than their seed's first, or than is registered: not compared."""
    names = []
    for runs in _by_seed(found).values():
        codes = {run.name: result.about["code"] for run, result in runs.items()}
        wanted = registered_code(study, registration) or first_code(
            result.about for result in runs.values()
        )
        for name, code in codes.items():
            if not registration.alike(wanted, code):
                names.append(name)
    return names


def _mixed(found: Found, registration: Registration) -> Iterator[dict]:
    """Each (data set, seed) with arms made on unlike devices or by code that may train otherwise.

    Precision is a setting, so an arm has another one only where the study says so in its name.
    """
    for (dataset, seed), runs in _by_seed(found).items():
        under = [conditions(result.settings, result.about) for result in runs.values()]
        devices = sorted({one["device"] for one in under})
        code = sorted({one["code"] for one in under})
        differing = {"device": devices} if len(devices) > 1 else {}
        if len({registration.training(digest) for digest in code}) > 1:
            differing["code"] = code
        if differing:
            yield {"dataset": dataset, "seed": seed, **differing}
