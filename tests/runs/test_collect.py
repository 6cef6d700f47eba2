"""Nothing lost, nothing mixed: what is collected, and stays."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys

import pytest

from companion.evidence.results import read_runs
from companion.runs import collect as collecting
from companion.runs.cli import main
from companion.runs.files import StorageError, exclusive_lock
from companion.runs.plan import plan
from companion.runs.record import pack_result, read_result
from companion.runs.studies import STUDIES
from tests.conftest import ROOT
from tests.runs.tiny import TINY, TINY_ARMS, files, rows, with_about


def test_more_seeds_than_planned_are_collected_and_stay(made, capsys):
    """Seeds 5 and 6 of a study of two.

    Afterwards their folders are gone, and only seed 1 is made here.
    """
    runs = made.parents[1] / "runs"
    for path in runs.rglob("*"):
        path.unlink() if path.is_file() else None
    main(["run", "tiny", "--seeds", "5-6", "--datasets", "digits", "--quiet", "--device", "cpu"])
    assert main(["collect", "tiny"]) == 0
    before = files(made)
    runs.rename(made.parents[1] / "elsewhere")
    main(["run", "tiny", "--seeds", "1-1", "--datasets", "digits", "--quiet", "--device", "cpu"])
    capsys.readouterr()
    assert main(["collect", "tiny"]) == 0
    assert "8 of 12 runs" in capsys.readouterr().out
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["seeds"] == [0, 1, 5, 6] and len(rows(made / "runs.csv")) == 8
    after = files(made)
    assert all(after[name] == content for name, content in before.items() if name.endswith(".npz"))
    # A new run is new lines between old ones.
    for table in ("runs.csv", "epochs.csv"):
        old, new = (version[table].decode().splitlines() for version in (before, after))
        assert [line for line in new if line in old] == old
    assert [row["seed"] for row in rows(made / "runs.csv")] == list("00115566")


def test_collecting_again_changes_nothing(made):
    assert main(["collect", "tiny"]) == 0
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()}
    assert main(["collect", "tiny", "--folder", "runs"]) == 0  # another command, the same runs
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()}


def test_parts_collected_by_turns(tiny, capsys):
    """Two machines that share results/ alone."""
    for part in ("1/2", "2/2"):
        main(["run", "tiny", "--part", part, "--folder", part[0], "--quiet", "--device", "cpu"])
        assert main(["collect", "tiny", "--folder", part[0]]) == 0
    assert "8 of 8 runs" in capsys.readouterr().out
    table = rows(tiny / "results/tiny/runs.csv")
    assert len(table) == 8 and all(row["device"] == "cpu" and row["code"] for row in table)


def test_a_bf16_study_is_collected(tiny, monkeypatch):
    bf16 = dataclasses.replace(TINY, common=TINY.common | {"precision": "bf16"})
    monkeypatch.setitem(STUDIES, "tiny", bf16)
    main(["run", "tiny", "--seeds", "1", "--datasets", "digits", "--quiet", "--device", "cpu"])
    assert main(["collect", "tiny"]) == 0
    assert {row["precision"] for row in rows(tiny / "results/tiny/runs.csv")} == {"bf16"}


def test_arms_are_known_by_their_settings(made, monkeypatch, capsys):
    """An arm with a new name keeps its records; one that is gone has its record refused by name."""
    assert main(["collect", "tiny"]) == 0
    before = files(made)
    renamed = {"Glorot": TINY.arms["glorot_uniform"], "PC at norm 2": TINY.arms["PC at norm 2"]}
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, arms=renamed))
    assert main(["collect", "tiny"]) == 0
    assert not any("glorot_uniform" in name for name in files(made))
    renamed_file = made / "runs/digits--Glorot--seed-0.npz"
    assert renamed_file.read_bytes() == before["runs/digits--glorot_uniform--seed-0.npz"]

    before = files(made)
    other = renamed | {"Glorot": {"method": "kmeans"}}
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, arms=other))
    capsys.readouterr()
    assert main(["collect", "tiny"]) == 1
    printed = capsys.readouterr().err
    assert "digits--Glorot--seed-0.npz has the settings of no arm" in printed
    assert "'glorot_uniform' -> 'kmeans'" in printed
    assert files(made) == before
    assert main(["run", "tiny", "--datasets", "digits", "--quiet", "--device", "cpu"]) == 1
    assert "of other settings" in capsys.readouterr().err


def test_two_records_of_one_run(made, capsys):
    """Somebody made seed 0 as well, and it took another time."""
    before = files(made)
    path = plan(TINY)[0].record(made.parents[1] / "runs")
    result = read_result(path)
    other = dataclasses.replace(result, about=result.about | {"begun": "2020-01-01T00:00:00Z"})
    path.write_bytes(pack_result(other))
    assert main(["collect", "tiny"]) == 1
    name = "digits--glorot_uniform--seed-0"
    assert f"runs/{name}.npz and runs/tiny/{name}/result.npz" in capsys.readouterr().err
    assert files(made) == before


def test_a_collected_record_that_is_lost_is_not_forgotten(made, capsys):
    (made / "runs/digits--glorot_uniform--seed-0.npz").unlink()
    plan(TINY)[0].record(made.parents[1] / "runs").unlink()
    assert main(["collect", "tiny"]) == 1
    assert "seed-0.npz is missing" in capsys.readouterr().err
    (made / "manifest.json").unlink()  # on purpose
    assert main(["collect", "tiny"]) == 0


@pytest.mark.parametrize("content", ["", "{", "[1]", "{}", '{"files": 3}'])
def test_a_damaged_manifest_is_named(made, capsys, content):
    before = files(made)
    (made / "manifest.json").write_text(content)
    assert main(["collect", "tiny"]) == 1
    error = capsys.readouterr().err
    assert "manifest.json" in error and "git checkout" in error
    assert files(made) == before | {"manifest.json": content.encode()}


@pytest.mark.parametrize("n_writes", range(5))
def test_a_collect_cut_in_two(made, monkeypatch, capsys, n_writes):
    """After any number of files (two records, two tables, manifest) readers have the old runs."""
    real, written = collecting.write_whole, []

    def full(path, content):
        if len(written) == n_writes:
            raise StorageError("No space left on device")
        written.append(path)
        real(path, content)

    monkeypatch.setattr(collecting, "write_whole", full)
    assert main(["collect", "tiny"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    runs = read_runs("tiny", folder=made.parent)
    assert runs.n_finished == 2 and runs.paired("digits", *TINY_ARMS)[0].seeds == [0]
    monkeypatch.setattr(collecting, "write_whole", real)
    shutil.rmtree(made.parents[1] / "runs/tiny/digits--PC-at-norm-2--seed-0")
    assert main(["collect", "tiny"]) == 0
    assert read_runs("tiny", folder=made.parent).paired("digits", *TINY_ARMS)[0].seeds == [0, 1]


def test_one_collect_at_a_time(made, capsys):
    with exclusive_lock(made / "lock"):
        assert main(["collect", "tiny"]) == 1
    assert "being worked in by another process" in capsys.readouterr().err


def test_resumed_lists_what_went_on_elsewhere(made):
    """A run that was stopped and went on in the same place is no news."""
    runs = made.parents[1] / "runs"
    stops = {"glorot_uniform": {"begun": "2020", "saved": "2021"}, "PC at norm 2": {"torch": "1.0"}}
    for run in plan(TINY, range(1, 2), ("digits",)):
        earlier = stops[run.arm]
        with_about(run.record(runs), earlier=[earlier])
    assert main(["collect", "tiny"]) == 0
    assert json.loads((made / "manifest.json").read_text())["resumed"] == [
        "digits--PC-at-norm-2--seed-1"
    ]


def test_runs_begun_before_the_registration_are_listed(made, monkeypatch, capsys):
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, stage="X"))
    date = {"glorot_uniform": "2026-03-01T11:59:59Z", "PC at norm 2": "2026-03-01T12:00:00Z"}
    for run in plan(TINY, range(1, 2), ("digits",)):
        with_about(run.record(made.parents[1] / "runs"), begun=date[run.arm])
    (made / "manifest.json").unlink()
    shutil.rmtree(made / "runs")
    shutil.rmtree(made.parents[1] / "runs/tiny/digits--glorot_uniform--seed-0")
    registered = {
        "page": "book/protocol.md", "sha256": "0" * 64, "commit": "c0ffee",
        "date": "2026-03-01T14:00:00+02:00", "changes": [], "same_training": [],
    }  # fmt: skip
    path = made.parent / "registration.json"
    path.write_text(json.dumps(registered))
    with_about(plan(TINY)[1].record(made.parents[1] / "runs"), begun="2026-03-02T00:00:00Z")
    assert main(["collect", "tiny"]) == 0
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["registration"] == {"commit": "c0ffee", "date": registered["date"]}
    assert manifest["before_registration"] == ["digits--glorot_uniform--seed-1"]
    assert (
        "1 runs were begun before the protocol was registered: digits--glo"
        in capsys.readouterr().out
    )
    path.unlink()  # without a registration, nothing was begun after it
    assert main(["collect", "tiny"]) == 0
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["registration"] is None and len(manifest["before_registration"]) == 3
    path.write_text('{"date": "soon"}')
    assert main(["collect", "tiny"]) == 1
    assert "registration.json can't be used" in capsys.readouterr().err


def test_a_stage_collects_only_what_was_registered(made, monkeypatch, capsys):
    """Registered seeds, begun after the stage was registered; nothing is written otherwise."""
    before = (made / "manifest.json").read_bytes()
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, n_seeds=1, stage="X"))
    assert main(["collect", "tiny"]) == 1
    printed = capsys.readouterr().err
    assert "has seed=1" in printed and "seeds 0 to 0" in printed
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, stage="X"))
    registered = {"commit": "c0ffee", "date": "2020-01-01T00:00:00Z"}
    path = made.parent / "registration.json"
    path.write_text(json.dumps(registered | {"stages": {"tiny": "2120-01-01T00:00:00Z"}}))
    assert main(["collect", "tiny"]) == 1
    printed = capsys.readouterr().err
    assert "before stage X (tiny) was registered (2120-01-01T00:00:00Z)" in printed
    assert (made / "manifest.json").read_bytes() == before
    path.write_text(json.dumps(registered | {"stages": {"tiny": "2020-02-01T00:00:00Z"}}))
    assert main(["collect", "tiny"]) == 0
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["registration"]["date"] == "2020-02-01T00:00:00Z"
    assert not manifest["before_registration"]


def test_the_package_needs_no_posix_locks(tmp_path):
    """As on Windows: no module asks for fcntl, and a folder can be held where there is none."""
    asks = re.compile(r"^\s*(import|from)\s.*\bfcntl\b", re.MULTILINE)
    sources = [*(ROOT / "src").rglob("*.py")]
    assert sources and not [path for path in sources if asks.search(path.read_text("utf-8"))]
    script = """
import sys, warnings
sys.modules["fcntl"] = None
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # filelock says that it takes marker files
    import filelock
from pathlib import Path
from companion.runs.files import FolderBusy, exclusive_lock
with exclusive_lock(Path(sys.argv[1]) / "lock"):
    try:
        with exclusive_lock(Path(sys.argv[1]) / "lock"):
            print("held twice")
    except FolderBusy:
        print("held once")
"""
    printed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True
    )
    assert printed.stdout == "held once\n", printed.stderr
