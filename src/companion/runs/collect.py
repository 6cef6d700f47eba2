"""Finished runs gathered into a few tables, small enough to be committed: what the book reads.

No folder is moved. A record never changes once it is made, so each is put beside the others whole,
then the tables, then ``manifest.json``, which lists every file with its digest. Readers trust the
manifest alone: killed anywhere before its last rename, a collect leaves them what they had, and the
next one takes up the records that are there already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from .files import StorageError, exclusive_lock, fsync_folder, remove_leftovers, write_whole
from .pairing import Pairing
from .plan import PlannedRun, Study, StudyFolder
from .record import Result, RunRefused, unpack_result
from .registration import Registration, read_registration
from .tables import Found, epochs_table, manifest_of, runs_table


def collect(
    study: Study,
    folder: Path,
    results: Path,
    command: str,
    *,
    on_unlike: Callable[[Path], None] = lambda path: None,
) -> dict:
    """Write ``results/<study>/``: every finished run of the study, and every one collected before.

    runs.csv
        A line a run: data set, arm, seed, accuracy at the end and as the mean of the last ten
        epochs, losses, how far the filters turned, seconds, whether it diverged; device, precision,
        processor and its instruction set, commit and digest of the code, when it began and ended.
    epochs.csv
        A line an epoch of a run: losses, accuracy (0 to 1), rate, seconds, mean norm and median
        cosine distance of the first layer's filters.
    runs/<run>.npz
        The record of each run, for `companion.runs.record.read_result`: the first layer at
        about 25 epochs, every filter's norm and distance by epoch, the images classified correctly
        at the end, settings, versions, hardware.
    manifest.json
        Settings, seeds, versions, hardware, the command, digests of the files; which runs were
        resumed under other conditions, which arms of a seed were made under unlike ones, and which
        runs were begun before the protocol was registered.

    What a run is follows from its settings, not from its name. Seeds beyond the planned ones are
    welcome, but in a registered stage: there a seed counts only if its arm is registered for it.
    A run made by code that trains otherwise than the registered one, or than that of the runs of
    its data set and seed that were collected before, stays where it is: nothing would be compared
    with it. Files that would not change are not written.

    Parameters
    ----------
    study : Study
    folder : path
        Of the runs' folders.
    results : path
        What was collected on another machine or another day and lies there already stays.
    command : str
        That was given, for the manifest.
    on_unlike : function, optional
        Called with each record that was left out, for the code that made it.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    RunRefused
        No run is finished, or a record is damaged, or of no arm's settings, or differs from one
        collected before; or it is of a seed that the stage has not registered, or was begun before
        the stage was. Nothing is written then.
    StorageError
        The folder can't be read or written, or lacks a record that its manifest lists.
    FolderBusy
        Another process is collecting this study.

    Examples
    --------
    >>> import tempfile
    >>> from companion.runs.local import run_here
    >>> from companion.runs.plan import plan
    >>> few = {"n_train": 64, "n_evaluate": 32, "epochs": 1, "widths": (4,)}
    >>> study = Study("mine", "", {"k-means": {"method": "kmeans"}}, few, ("digits",), n_seeds=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     runs, results = Path(folder, "runs"), Path(folder, "results")
    ...     run_here(plan(study), runs)
    ...     manifest = collect(study, runs, results, "by hand")
    >>> manifest["runs_finished"], manifest["seeds"]
    (1, [0])
    """
    own = StudyFolder(results / study.name)
    if not own.collected() and not study.records(folder):
        raise RunRefused(
            f"no run of {study.name!r} is finished in {folder}; "
            f"make some: python -m companion run {study.name}"
        )
    with exclusive_lock(own.lock):
        remove_leftovers(own.path)
        remove_leftovers(own.records)
        registration = read_registration(results)
        found = _gather(study, folder, results, on_unlike)
        _check_registered(study, found, registration)
        _check_complete(own, found)
        contents = {run.collected(results): content for run, (_, content) in found.items()}
        contents |= {own.runs: runs_table(found), own.epochs: epochs_table(found)}
        files = {
            path.relative_to(own.path).as_posix(): content for path, content in contents.items()
        }
        manifest = manifest_of(study, found, registration, files, command)
        for path, content in contents.items():
            if not path.exists() or path.read_bytes() != content:
                write_whole(path, content)
        fsync_folder(own.records)
        fsync_folder(own.path)
        text, before = json.dumps(manifest, indent=1) + "\n", read_manifest(own.path)
        if before is None or _lasting(before) != _lasting(json.loads(text)):
            write_whole(own.manifest, text.encode())
        for path in set(own.collected()) - set(contents):
            path.unlink()  # of an arm that has another name now: the same bytes lie under that
    return manifest


def read_manifest(folder: Path) -> dict | None:
    """The manifest of a collected study, None without one. StorageError if it can't be read."""
    path = StudyFolder(folder).manifest
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
            raise ValueError("it lists no files")
        return manifest
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} can't be read ({error}); restore it: git checkout {path}"
        ) from error


def _gather(study: Study, folder: Path, results: Path, on_unlike: Callable[[Path], None]) -> Found:
    """All records by run, in the order of seed, data set and arm.

    So a new run is a new line between old ones.
    """
    found: Found = {}
    source: dict[PlannedRun, Path] = {}
    collected, made = StudyFolder(results / study.name).collected(), study.records(folder)
    pairing = Pairing(study, results)
    for path in collected + made:
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
        digest = result.about["code"]["digest"]
        if path in made and run not in found and not pairing.alike(run, digest):
            on_unlike(path)
            continue
        found.setdefault(run, (result, content))
        source.setdefault(run, path)
    if not found:
        raise RunRefused(
            f"the {len(made)} finished runs of {study.name!r} in {folder} are of other code than "
            f"the registered commit {pairing.registration.runs_commit}; make them anew from there, "
            "or collect them as a study of their own: --results ELSEWHERE"
        )
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


def _check_registered(study: Study, found: Found, registration: Registration) -> None:
    """Of a stage: only registered seeds, and of one with a date of its own only later runs."""
    for run, (result, _) in found.items():
        seed, begun = run.settings.seed, result.about["begun"]
        if not study.allowed(run.arm, range(seed, seed + 1)):
            own = study.allowed(run.arm, range(10**6))
            raise RunRefused(
                f"{run.name} has seed={seed}, and stage {study.stage} ({study.name}) is registered "
                f"for the seeds {own.start} to {own.stop - 1} of this arm; move the record away"
            )
        if study.name in registration.stages and not registration.precedes(begun, study.name):
            raise RunRefused(
                f"{run.name} was begun at {begun}, before stage {study.stage} ({study.name}) was "
                f"registered ({registration.stages[study.name]}), and does not count; "
                "move the record away and make the run again"
            )


def _check_complete(own: StudyFolder, found: Found) -> None:
    """What the manifest lists must be there as it was: a collect mends no loss by forgetting it."""
    digests = {hashlib.sha256(content).hexdigest() for _, content in found.values()}
    for name, digest in (read_manifest(own.path) or {"files": {}})["files"].items():
        path = own.path / name
        if path.parent == own.records and digest not in digests:
            raise StorageError(
                f"{path} is missing, or not the file that manifest.json lists; "
                f"restore it: git checkout {own.path}. "
                "If it was dropped on purpose, move manifest.json aside"
            )


def _lasting(manifest: dict) -> dict:
    """What does not change from one collect of the same runs to the next."""
    return {key: value for key, value in manifest.items() if key not in ("command", "collected")}
