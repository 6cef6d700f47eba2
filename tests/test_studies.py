"""Studies from plan to tables, through the command that a person gives."""

import csv
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from patchinit import studies
from patchinit.__main__ import main
from patchinit.runs import execute, prepare, read_result
from patchinit.running import run_here, run_side_by_side
from patchinit.settings import Settings
from patchinit.studies import STUDIES, Study, forward_flops, plan

TINY = Study(
    "tiny", "Does the pipeline hold?",
    {"glorot_uniform": {"method": "glorot_uniform"}, "PC at norm 2": {"method": "principal_components", "norm": 2.0}},
    {"epochs": 2, "n_train": 64, "batch_size": 32, "n_images": 10, "n_evaluate": 32, "widths": (4, 4)},
    datasets=("digits", "photos"), n_seeds=2,
)  # fmt: skip


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The study known to the command, in an empty working directory."""
    monkeypatch.setitem(STUDIES, "tiny", TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_plans_are_complete_paired_and_distinct(study):
    runs = plan(study)
    assert len(runs) == len(study.datasets) * sum(len(study.seeds_of(arm)) for arm in study.arms)
    assert len({run.name for run in runs}) == len(runs)
    assert len({run.settings for run in runs}) == len(runs), "two arms are the same run"
    if not study.first:  # all arms of a seed before the next seed
        seeds = [run.settings.seed for run in runs]
        assert seeds == sorted(seeds)
    for run in runs:
        assert all(c.isalnum() or c in "-_." for c in run.name)


def test_anchor_is_made_in_the_registered_order():
    """book/protocol.md, stage A."""
    two, three = ("glorot_uniform", "principal_components"), ("kmeans", "random_patches", "random_orthonormal")
    blocks = [(two, (0, 1, 2, 3)), (three, (0,)), (two, (4, 5)), (three, (1, 2))]
    expected = [(arm, seed) for arms, seeds in blocks for seed in seeds for arm in arms]
    assert [(run.arm, run.settings.seed) for run in plan(STUDIES["anchor"])] == expected


def test_stages_are_the_registered_ones():
    """book/protocol.md: arms and seeds of the stages A to D, and what all their runs share."""
    counts = {
        "anchor": {"glorot_uniform": 6, "principal_components": 6, "kmeans": 3, "random_patches": 3, "random_orthonormal": 3},
        "grid": {
            "glorot_uniform": 6, "principal_components": 6, "kmeans": 6, "random_patches": 5, "random_orthonormal": 4,
            "cosine_basis": 4, "glorot_uniform at norm 1": 3, "principal_components at Glorot's norm": 3,
            "principal_components, frozen": 3, "random_orthonormal, frozen": 3, "cosine_basis, frozen": 3,
            "glorot_uniform, fp32": 3, "principal_components, fp32": 3,
        },
        "null": dict.fromkeys(
            ("glorot_uniform", "glorot_uniform at norm 1", "random_orthonormal", "principal_components"), 2
        ),
        "anchor-cifar10": dict.fromkeys(
            ("glorot_uniform", "principal_components", "kmeans", "random_patches", "random_orthonormal"), 3
        ),
    }  # fmt: skip
    lengths = {"anchor": (250, 200), "grid": (30, 24), "null": (3, 3), "anchor-cifar10": (250, 200)}
    for name, wanted in counts.items():
        study = STUDIES[name]
        assert {arm: len(study.seeds_of(arm)) for arm in study.arms} == wanted
        for run in plan(study):
            settings = run.settings
            assert (settings.epochs, settings.drop_after) == lengths[name]
            assert settings.widths == (16,) * 10 and settings.batch_size == 128 and settings.augmentation == "none"
            assert settings.precision == ("fp32" if "fp32" in run.arm else "bf16")
            assert settings.labels == ("redrawn" if name == "null" else "true")
            assert settings.n_train is None and settings.n_held_out == 0 and settings.n_evaluate is None


def test_paper_study_is_the_papers_protocol():
    for run in plan(STUDIES["paper"]):
        settings = run.settings
        assert (settings.epochs, settings.rate(200), settings.rate(201)) == (250, 1e-3, pytest.approx(1e-4))
        assert settings.n_images == 100 and settings.n_train is None and settings.n_held_out == 0
        assert settings.layers == "first" and settings.others == "glorot_uniform" and settings.norm == "own"
    arms = {run.settings.method for run in plan(STUDIES["paper"])}
    assert arms >= {"glorot_uniform", "principal_components", "kmeans", "random_patches"}
    assert not STUDIES["paper"].reduced and STUDIES["paper-small"].reduced


def test_operations_against_counted_ones():
    from torch.utils.flop_counter import FlopCounterMode

    settings = Settings(widths=(8, 16))
    model, *_ = prepare(dataclasses.replace(settings, dataset="photos", n_images=10))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 32, 32))
    head = 2 * 16 * 2
    assert forward_flops(settings) == pytest.approx(counter.get_total_flops() - head)


def test_from_plan_to_tables(tiny, capsys):
    assert main(["run", "tiny", "--dry-run", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "8 runs, 0 of them finished; 16 epochs to make" in said and "minutes on cpu" in said
    assert not (tiny / "runs").exists()

    assert main(["run", "tiny", "--seeds", "1", "--device", "cpu"]) == 0
    assert "run 4/4" in capsys.readouterr().err
    assert main(["status", "tiny"]) == 0
    assert "4 finished, 4 waiting" in capsys.readouterr().out

    assert main(["collect", "tiny"]) == 0
    folder = tiny / "results/tiny"
    runs, epochs = rows(folder / "runs.csv"), rows(folder / "epochs.csv")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert len(runs) == 4 and len(epochs) == 4 * 3
    assert (manifest["runs_planned"], manifest["runs_finished"], manifest["seeds"]) == (8, 4, [0])
    assert manifest["reduced"] and manifest["settings"]["epochs"] == 2 and "method" not in manifest["settings"]
    assert manifest["command"] == "patchinit collect tiny"
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    # A line of the table by hand, from the run made anew.
    again = execute(plan(TINY)[3].settings, tiny / "again")
    (row,) = [row for row in runs if row["run"] == plan(TINY)[3].name]
    assert float(row["final_accuracy"]) == pytest.approx(again.correct.mean(), abs=1e-6)
    distance = 1 - np.sum(again.filters[0] * again.filters[-1], axis=(1, 2, 3)) / (
        np.linalg.norm(again.filters[0].reshape(27, -1), axis=1) * np.linalg.norm(again.filters[-1].reshape(27, -1), axis=1)
    )
    assert float(row["median_distance"]) == pytest.approx(np.median(distance), rel=2e-3, abs=1e-6)
    assert (row["arm"], row["dataset"], row["seed"]) == ("PC at norm 2", "photos", "0")
    assert float(row["start_norm"]) == pytest.approx(2, rel=1e-3)


def test_studies_with_arms_of_one_name_do_not_meet(tiny, monkeypatch, capsys):
    """`paper` and `norms` both have an arm "glorot_uniform", and one folder for all runs is the default."""
    longer = dataclasses.replace(TINY, name="longer", common=TINY.common | {"epochs": 3})
    monkeypatch.setitem(STUDIES, "longer", longer)
    for study in ("tiny", "longer"):
        assert main(["run", study, "--seeds", "1", "--datasets", "digits", "--quiet", "--device", "cpu"]) == 0
        assert main(["status", study, "--seeds", "1", "--datasets", "digits"]) == 0
    assert "3/3" in capsys.readouterr().out
    ours, theirs = (set(run.place for run in plan(study)) for study in (TINY, longer))
    assert not ours & theirs and {run.name for run in plan(TINY)} == {run.name for run in plan(longer)}


def test_collected_runs_are_not_made_again_and_stay(tiny, capsys):
    """Another machine's results lie in results/; this one makes the other seed and adds it."""
    main(["run", "tiny", "--seeds", "1", "--quiet", "--device", "cpu"])
    main(["collect", "tiny"])
    (tiny / "runs").rename(tiny / "elsewhere")
    main(["run", "tiny", "--datasets", "digits", "--quiet", "--device", "cpu"])
    assert sorted(path.name for path in (tiny / "runs/tiny").iterdir()) == [
        "digits--PC-at-norm-2--seed-1", "digits--glorot_uniform--seed-1",
    ]  # fmt: skip
    capsys.readouterr()
    main(["collect", "tiny"])
    assert "6 of 8 runs" in capsys.readouterr().out
    kept = tiny / "results/tiny/runs/photos--glorot_uniform--seed-0.npz"
    assert kept.read_bytes() == (tiny / "elsewhere/tiny/photos--glorot_uniform--seed-0/result.npz").read_bytes()


def test_parts_share_the_work_out(tiny, capsys):
    """Each part of the command's plan makes runs of its own, and together they make all."""
    for part in ("1/3", "2/3", "3/3"):
        main(["run", "tiny", "--seeds", "1", "--part", part, "--quiet", "--device", "cpu"])
        assert f"{2 if part == '1/3' else 1} runs, 0 of them finished" in capsys.readouterr().out
    main(["status", "tiny", "--seeds", "1"])
    assert "\n4 finished\n" in capsys.readouterr().out


def test_side_by_side_makes_each_run_once(tmp_path):
    runs = plan(TINY, range(1))
    run_side_by_side(runs, tmp_path / "two", 2)
    run_here(runs, tmp_path / "one")
    for run in runs:
        two, one = (read_result(tmp_path / where / run.place / "result.npz") for where in ("two", "one"))
        assert np.array_equal(two.filters, one.filters) and two.final_loss == pytest.approx(one.final_loss, rel=1e-5)


def test_an_error_in_a_worker_is_told_and_spares_the_rest(tmp_path):
    runs = plan(TINY, range(1))
    (tmp_path / "tiny").mkdir()
    (tmp_path / runs[2].place).write_text("in the way")
    with pytest.raises(RuntimeError, match=f"StorageError: .*{runs[2].name} can't be used"):
        run_side_by_side(runs, tmp_path, 2)


_KILLED = """
import sys
from patchinit.running import run_side_by_side
from patchinit.studies import plan
sys.path.insert(0, sys.argv[2])
from test_studies import TINY
import dataclasses
from pathlib import Path
from patchinit.running import Progress

class Told(Progress):
    def epoch(self, name, epoch):
        print(name, epoch.epoch, flush=True)

if __name__ == "__main__":
    study = dataclasses.replace(TINY, common=TINY.common | {"epochs": 30}, datasets=("digits",))
    run_side_by_side(plan(study), Path(sys.argv[1]), 2, progress=Told([], show=False))
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    command = [sys.executable, str(script), str(tmp_path / "runs"), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        # The pipe closes once the last process that holds it has ended.
        process.stdout.read()
    unfinished = [path for path in (tmp_path / "runs/tiny").iterdir() if not (path / "result.npz").exists()]
    assert unfinished


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run", "tiny", "--seeds", "0"], "such as 3, or FIRST-LAST"),
        (["run", "tiny", "--seeds", "5-3"], "such as 3, or FIRST-LAST"),
        (["run", "tiny", "--part", "4/3"], "1 <= I <= N"),
        (["run", "huge"], "paper-small"),
    ],
)
def test_wrong_arguments(tiny, capsys, arguments, text):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and text in capsys.readouterr().err


def test_wrong_values(tiny, capsys):
    assert main(["run", "tiny", "--jobs", "0"]) == 1
    assert "--jobs 0 should be at least 1" in capsys.readouterr().err
    assert main(["run", "tiny", "--datasets", "cifar10"]) == 1
    assert "should be among digits, photos" in capsys.readouterr().err
    assert main(["collect", "tiny"]) == 1
    assert "patchinit run tiny" in capsys.readouterr().err


def test_help_names_every_study(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = capsys.readouterr().out
    for study in studies.STUDIES:
        assert study in said
    assert main(["studies"]) == 0
    assert "250 epochs" in capsys.readouterr().out


def test_interrupted_collecting_leaves_the_old_tables(tiny, monkeypatch, capsys):
    main(["run", "tiny", "--seeds", "1", "--quiet", "--device", "cpu"])
    main(["collect", "tiny"])
    before = {p.name: p.read_bytes() for p in (tiny / "results/tiny").glob("*.*")}
    real = Path.write_bytes

    def full(self, content):
        if self.name == "epochs.csv":
            raise OSError(28, "No space left on device")
        return real(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["collect", "tiny"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in (tiny / "results/tiny").glob("*.*")} == before
    assert [p.name for p in (tiny / "results").iterdir()] == ["tiny"]
