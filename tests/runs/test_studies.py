"""Studies from plan to tables, through the command that a person gives."""

import contextlib
import csv
import dataclasses
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.evidence.arms import ArmKey
from companion.evidence.results import read_runs
from companion.runs import collect as collecting
from companion.runs import cost, studies
from companion.runs import local as running
from companion.runs import run as runs_module
from companion.runs.cli import main
from companion.runs.cost import forward_flops
from companion.runs.files import StorageError, only_here
from companion.runs.local import WorkerFailed, run_here, run_side_by_side
from companion.runs.plan import Study, plan, share
from companion.runs.prepare import prepare
from companion.runs.progress import Progress
from companion.runs.record import pack_result, read_result
from companion.runs.run import execute
from companion.runs.settings import Settings
from companion.runs.studies import STUDIES

TINY = Study(
    "tiny",
    "Does the pipeline hold?",
    {
        "glorot_uniform": {"method": "glorot_uniform"},
        "PC at norm 2": {"method": "principal_components", "norm": 2.0},
    },
    {
        "epochs": 2,
        "n_train": 64,
        "batch_size": 32,
        "n_images": 10,
        "n_evaluate": 32,
        "widths": (4, 4),
    },
    datasets=("digits", "photos"),
    n_seeds=2,
)
TINY_ARMS = [ArmKey(**arm) for arm in TINY.arms.values()]


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
        assert study.run_of(run.settings) == run
        assert all(c.isalnum() or c in "-_." for c in run.name)


def test_anchor_is_made_in_the_registered_order():
    """book/protocol.md, stage A."""
    two, three = (
        ("glorot_uniform", "principal_components"),
        ("kmeans", "random_patches", "random_orthonormal"),
    )
    blocks = [
        (two, (0, 1, 2, 3)), (three[:1], (0,)), (two, (4, 5)), (three[1:], (0,)), (three, (1, 2)),
    ]  # fmt: skip
    expected = [(arm, seed) for arms, seeds in blocks for seed in seeds for arm in arms]
    assert [(run.arm, run.settings.seed) for run in plan(STUDIES["anchor"])] == expected


def test_stages_are_the_registered_ones():
    """book/protocol.md: arms and seeds of the stages A to D, and what all their runs share."""
    counts = {
        "anchor": {
            "glorot_uniform": 6, "principal_components": 6, "kmeans": 3,
            "random_patches": 3, "random_orthonormal": 3,
        },
        "grid": {
            "glorot_uniform": 6, "principal_components": 6, "kmeans": 6,
            "random_patches": 5, "random_orthonormal": 4, "cosine_basis": 4,
            "glorot_uniform at norm 1": 3, "principal_components at Glorot's norm": 3,
            "principal_components, frozen": 3, "random_orthonormal, frozen": 3,
            "cosine_basis, frozen": 3,
        },
        "null": dict.fromkeys(
            (
                "glorot_uniform", "glorot_uniform at norm 1",
                "random_orthonormal", "principal_components",
            ),
            2,
        ),
        "anchor-cifar10": dict.fromkeys(
            (
                "glorot_uniform", "principal_components", "kmeans",
                "random_patches", "random_orthonormal",
            ),
            3,
        ),
    }  # fmt: skip
    lengths = {"anchor": (250, 200), "grid": (30, 24), "null": (3, 3), "anchor-cifar10": (250, 200)}
    for name, wanted in counts.items():
        study = STUDIES[name]
        assert {arm: len(study.seeds_of(arm)) for arm in study.arms} == wanted
        for run in plan(study):
            settings = run.settings
            assert (settings.epochs, settings.drop_after) == lengths[name]
            assert (
                settings.widths == (16,) * 10
                and settings.batch_size == 128
                and settings.augmentation == "none"
            )
            assert settings.precision == ("fp32" if name in ("grid", "null") else "bf16")
            assert settings.labels == ("redrawn" if name == "null" else "true")
            assert (
                settings.n_train is None
                and settings.n_held_out == 0
                and settings.n_evaluate is None
            )


def test_later_stages_are_the_registered_ones():
    """book/protocol.md, the second registration: data sets, arms, seeds, and how a run is made."""
    both, three = ("cifar10", "fashion_mnist"), ("glorot_uniform", "principal_components")
    three += ("cosine_basis",)
    filled_up = {
        "random_patches": [5],
        **dict.fromkeys(("random_orthonormal", "cosine_basis"), [4, 5]),
        **dict.fromkeys(
            (
                "glorot_uniform at norm 1", "principal_components at Glorot's norm",
                "principal_components, frozen", "random_orthonormal, frozen",
                "cosine_basis, frozen",
            ),
            [3, 4, 5],
        ),
    }  # fmt: skip
    stages = {
        "confirm": (16, both[:1], dict.fromkeys((*three, "random_orthonormal"), [6, 7, 8, 9])),
        "six-seeds": (20, both[:1], filled_up),
        "null-all": (
            26,
            both,
            dict.fromkeys(("kmeans", "cosine_basis", "random_patches"), [0, 1, 2])
            | dict.fromkeys(STUDIES["null"].arms, [2]),
        ),
        "unspoiled": (18, both[1:], dict.fromkeys(three, [0, 1, 2, 3, 4, 5])),
        "every-layer": (
            12,
            both,
            dict.fromkeys(("principal_components, every layer", "kmeans, every layer"), [0, 1, 2]),
        ),
        "few-labels": (
            18,
            both[:1],
            {f"{m}, {n}% of the labels": [0, 1, 2] for n in (1, 5, 10) for m in three[:2]},
        ),
        "width": (24, both[:1], {f"{m}, 10x{n}": [0, 1, 2, 3] for n in (8, 32) for m in three}),
        "wide": (9, both[:1], dict.fromkeys(three, [0, 1, 2])),
    }
    unlike = {
        "null-all": {"epochs": 3, "drop_after": 3, "labels": "redrawn"},
        "unspoiled": {"epochs": 60, "drop_after": 48, "augmentation": "flip_crop"},
        "wide": {
            "epochs": 40, "drop_after": 32, "augmentation": "flip_crop",
            "precision": "bf16", "widths": (64,) * 10,
        },
    }  # fmt: skip
    as_in_stage_b = STUDIES["grid"].settings("glorot_uniform", "cifar10", 0)
    for name, (n_runs, datasets, seeds) in stages.items():
        study = STUDIES[name]
        assert {arm: list(study.seeds_of(arm)) for arm in study.arms} == seeds
        assert study.datasets == datasets and len(plan(study)) == n_runs
        for run in plan(study):
            settings, own = run.settings, study.arms[run.arm]
            wanted = dataclasses.replace(
                as_in_stage_b,
                dataset=settings.dataset,
                seed=settings.seed,
                **unlike.get(name, {}) | own,
            )
            assert settings == wanted
    assert [run.settings.widths[0] for run in plan(STUDIES["width"])] == [8] * 12 + [32] * 12


def test_a_stage_makes_no_seed_that_an_arm_is_not_registered_for():
    def seeds(name, asked):
        found = {}
        for run in plan(STUDIES[name], asked):
            found.setdefault(run.arm, set()).add(run.settings.seed)
        return found

    assert seeds("confirm", range(8))["cosine_basis"] == {6, 7} and not seeds("confirm", range(6))
    assert seeds("grid", range(9))["random_patches"] == {0, 1, 2, 3, 4}
    third_look = seeds("anchor", range(8))  # registered, under a condition
    assert third_look["glorot_uniform"] == set(range(8)) and third_look["kmeans"] == {0, 1, 2}
    assert seeds("paper-small", range(9))["kmeans"] == set(range(9))  # no stage


def test_paper_study_is_the_papers_protocol():
    for run in plan(STUDIES["paper"]):
        settings = run.settings
        assert (settings.epochs, settings.rate(200), settings.rate(201)) == (
            250,
            1e-3,
            pytest.approx(1e-4),
        )
        assert settings.n_images == 100 and settings.n_train is None and settings.n_held_out == 0
        assert (
            settings.layers == "first"
            and settings.others == "glorot_uniform"
            and settings.norm == "own"
        )
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
    assert (
        manifest["reduced"]
        and manifest["settings"]["epochs"] == 2
        and "method" not in manifest["settings"]
    )
    assert manifest["command"] == "python -m companion collect tiny"
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    # A line of the table by hand, from the run made anew.
    again = execute(plan(TINY)[3].settings, tiny / "again")
    (row,) = [row for row in runs if row["run"] == plan(TINY)[3].name]
    assert float(row["final_accuracy"]) == pytest.approx(again.correct.mean(), abs=1e-6)
    distance = 1 - np.sum(again.filters[0] * again.filters[-1], axis=(1, 2, 3)) / (
        np.linalg.norm(again.filters[0].reshape(27, -1), axis=1)
        * np.linalg.norm(again.filters[-1].reshape(27, -1), axis=1)
    )
    assert float(row["median_distance"]) == pytest.approx(np.median(distance), rel=2e-3, abs=1e-6)
    assert (row["arm"], row["dataset"], row["seed"]) == ("PC at norm 2", "photos", "0")
    assert float(row["start_norm"]) == pytest.approx(2, rel=1e-3)


def test_studies_with_arms_of_one_name_do_not_meet(tiny, monkeypatch, capsys):
    """`paper` and `norms` both have an arm "glorot_uniform".

    One folder for all runs is the default.
    """
    longer = dataclasses.replace(TINY, name="longer", common=TINY.common | {"epochs": 3})
    monkeypatch.setitem(STUDIES, "longer", longer)
    for study in ("tiny", "longer"):
        assert (
            main(
                ["run", study, "--seeds", "1", "--datasets", "digits", "--quiet", "--device", "cpu"]
            )
            == 0
        )
        assert main(["status", study, "--seeds", "1", "--datasets", "digits"]) == 0
    assert "3/3" in capsys.readouterr().out
    ours, theirs = (set(run.place for run in plan(study)) for study in (TINY, longer))
    assert not ours & theirs and {run.name for run in plan(TINY)} == {
        run.name for run in plan(longer)
    }


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
    assert (
        kept.read_bytes()
        == (tiny / "elsewhere/tiny/photos--glorot_uniform--seed-0/result.npz").read_bytes()
    )


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_a_part_has_all_arms_of_a_seed(study, of):
    """Else arm and machine would be one: five arms dealt out to five machines."""
    runs = plan(study)
    parts = [share(runs, number, of) for number in range(1, of + 1)]
    assert sorted(run.name for part in parts for run in part) == sorted(run.name for run in runs)
    blocks = [{(run.settings.dataset, run.settings.seed) for run in part} for part in parts]
    assert sum(map(len, blocks)) == len(set.union(*blocks))
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    for part in parts:
        assert part == [run for run in runs if run in part]  # in the order of the plan


def test_parts_share_the_work_out(tiny, capsys):
    """Each part of the command's plan makes runs of its own, and together they make all."""
    for part in ("1/3", "2/3", "3/3"):
        main(["run", "tiny", "--seeds", "1", "--part", part, "--quiet", "--device", "cpu"])
        assert f"{0 if part == '3/3' else 2} runs, 0 of them finished" in capsys.readouterr().out
    main(["status", "tiny", "--seeds", "1"])
    assert "\ntiny: 4 finished\n" in capsys.readouterr().out


def test_several_studies_in_the_order_given(tiny, monkeypatch, capsys):
    """One after the other; a run that somebody else holds is come back to at the end."""
    registered = dataclasses.replace(TINY, name="other", datasets=("digits",), stage="X")
    monkeypatch.setitem(STUDIES, "other", registered)
    made = []
    real = runs_module.write_whole
    monkeypatch.setattr(running, "WAIT", 0.01)

    def watched(path, content):
        if path.name == "result.npz":
            made.append(path.parent.relative_to("runs").as_posix())
            held.close()  # from now on
        real(path, content)

    monkeypatch.setattr(runs_module, "write_whole", watched)
    command = ["run", "other", "tiny", "--seeds", "1", "--datasets", "digits", "--device", "cpu"]
    expected = [
        run.place for study in (registered, TINY) for run in plan(study, range(1), ("digits",))
    ]
    with contextlib.ExitStack() as held:
        held.enter_context(only_here(tiny / "runs" / expected[0] / "lock"))
        assert main(command) == 0
    assert made == [*expected[1:], expected[0]]
    said = capsys.readouterr()
    assert "run 4/4, epoch 8/8" in said.err and "python -m companion collect other tiny" in said.out
    assert main(["status", "other", "tiny", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "other (stage X): 2 finished, 2 waiting", "tiny: 2 finished, 6 waiting",
        "in all: 4 finished, 8 waiting",
    ]  # fmt: skip
    assert main(["collect", "other", "tiny"]) == 0
    assert "2 of 4 runs" in capsys.readouterr().out


def test_status_counts_the_epochs_of_runs_under_way(tiny, capsys):
    run = plan(TINY)[0]
    with pytest.raises(ZeroDivisionError):
        execute(run.settings, tiny / "runs" / run.place, on_epoch=lambda epoch: 1 / 0)
    assert main(["status", "tiny", "--quiet"]) == 0
    assert capsys.readouterr().out == "tiny: 1 under way (1 epochs so far), 7 waiting\n"
    assert main(["run", "tiny", "--dry-run", "--device", "cpu"]) == 0
    assert "15 epochs to make" in capsys.readouterr().out


def test_side_by_side_makes_each_run_once(tiny, capsys):
    assert main(["run", "tiny", "--seeds", "1", "--jobs", "2", "--device", "cpu"]) == 0
    assert "100%" in capsys.readouterr().err
    runs = plan(TINY, range(1))
    run_here(runs, tiny / "alone")
    for run in runs:
        two, one = (read_result(run.record(tiny / where)) for where in ("runs", "alone"))
        assert np.array_equal(two.filters, one.filters) and two.final_loss == pytest.approx(
            one.final_loss, rel=1e-5
        )


def test_an_error_in_a_worker_is_told_and_spares_the_rest(tmp_path):
    runs = plan(TINY, range(1))
    (tmp_path / "tiny").mkdir()
    (tmp_path / runs[2].place).write_text("in the way")
    with pytest.raises(StorageError, match=f"{runs[2].name} can't be used"):
        run_side_by_side(runs, tmp_path, 2)


def test_an_error_of_ours_in_a_worker_comes_with_its_traceback(tmp_path):
    """TF32 has no meaning on a CPU; the trainer says so, and no plan should have asked for it."""
    study = dataclasses.replace(TINY, common=TINY.common | {"precision": "tf32"})
    with pytest.raises(ValueError, match="precision='tf32' needs") as caught:
        run_side_by_side(plan(study, range(1)), tmp_path, 2)
    assert "trainer.py" in str(caught.value.__cause__)


def test_an_error_of_ours_is_no_polite_line(tiny, monkeypatch):
    monkeypatch.setattr(running, "execute", lambda *args, **kwargs: int("seven"))
    with pytest.raises(ValueError, match="invalid literal"):
        main(["run", "tiny", "--quiet", "--device", "cpu"])


def test_a_killed_worker_costs_no_run(tmp_path, monkeypatch, capsys):
    """The others take its run up; without others the command says what it was."""
    monkeypatch.setattr(running, "WAIT", 0.02)
    runs = plan(dataclasses.replace(TINY, common=TINY.common | {"epochs": 60}), range(1))

    class KillOnce(Progress):
        killed = False

        def _advance(self, *what):
            super()._advance(*what)
            if not self.killed:
                self.killed = True
                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    run_side_by_side(runs, tmp_path / "two", 2, progress=KillOnce(runs, show=False))
    assert all(run.record(tmp_path / "two").exists() for run in runs)
    assert "of 2 was killed" in capsys.readouterr().err
    with pytest.raises(WorkerFailed, match="killed before [34] of the runs"):
        run_side_by_side(runs, tmp_path / "one", 1, progress=KillOnce(runs, show=False))
    assert "process 1 of 1 was killed" in capsys.readouterr().err


def test_progress_by_what_lies_in_the_folders(tmp_path):
    """An epoch made elsewhere counts once, and so does an end."""
    run, other = plan(TINY)[:2]
    progress = Progress([run, other], show=False)
    with pytest.raises(ZeroDivisionError):
        execute(run.settings, tmp_path / run.place, on_epoch=lambda epoch: 1 / 0)
    for _ in range(2):
        progress.look(tmp_path)
        assert progress.n_epochs == 1 and progress.left == {run.place: 1, other.place: 2}
    execute(run.settings, tmp_path / run.place)
    for _ in range(2):
        progress.look(tmp_path)
        assert progress.left == {other.place: 2}


_KILLED = """
import sys
from companion.runs import local
from companion.runs.local import run_side_by_side
from companion.runs.plan import plan
sys.path.insert(0, sys.argv[2])
from test_studies import TINY
import dataclasses
from pathlib import Path
from companion.runs.progress import Progress

class Told(Progress):
    def _advance(self, *what):
        print(*what, flush=True)

if __name__ == "__main__":
    local.WAIT = 0.1
    study = dataclasses.replace(TINY, common=TINY.common | {"epochs": 300}, datasets=("digits",))
    run_side_by_side(plan(study), Path(sys.argv[1]), 2, progress=Told(plan(study), show=False))
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    command = [sys.executable, str(script), str(tmp_path / "runs"), str(Path(__file__).parent)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        # The pipe closes once the last process that holds it has ended.
        process.stdout.read()
    unfinished = [
        path for path in (tmp_path / "runs/tiny").iterdir() if not (path / "result.npz").exists()
    ]
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
    assert "python -m companion run tiny" in capsys.readouterr().err


def test_arms_of_a_study(tiny, capsys):
    """Only what was named is planned, made and told of; the parts are those of the whole study."""
    arms = ["--arm", "PC at norm 2"]
    assert main(["run", "tiny", *arms, "--dry-run", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "4 runs, 0 of them finished" in said
    assert "PC at norm 2" in said and "glorot_uniform" not in said
    assert main(["run", "tiny", *arms, "--seeds", "1", "--quiet", "--device", "cpu"]) == 0
    made = {path.name for path in (tiny / "runs/tiny").iterdir()}
    assert made == {"digits--PC-at-norm-2--seed-0", "photos--PC-at-norm-2--seed-0"}
    capsys.readouterr()
    assert main(["status", "tiny", *arms, "--quiet"]) == 0
    assert capsys.readouterr().out == "tiny: 2 finished, 2 waiting\n"
    assert main(["status", "tiny", *arms, "--part", "1/2", "--quiet"]) == 0
    assert capsys.readouterr().out == "tiny: 1 finished, 1 waiting\n"
    assert main(["status", "tiny", *arms, "--arm", "glorot_uniform", "--quiet"]) == 0
    assert capsys.readouterr().out == "tiny: 2 finished, 6 waiting\n"


def test_arms_with_commas_in_their_names(tmp_path, capsys):
    arms = ["--arm", "principal_components, frozen", "--arm", "random_orthonormal, frozen"]
    nowhere = ["--folder", str(tmp_path), "--results", str(tmp_path)]
    assert main(["status", "grid", *arms, "--datasets", "cifar10", *nowhere]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        f"cifar10--{method}-frozen--seed-{seed}"
        for seed in range(3) for method in ("principal_components", "random_orthonormal")
    ]  # fmt: skip
    assert lines[-1] == "grid (stage B): 6 waiting"


@pytest.mark.parametrize("command", ["run", "status"])
def test_an_unknown_arm_is_refused(tiny, capsys, command):
    assert main([command, "tiny", "--arm", "glorot_uniform", "--arm", "kmeans"]) == 1
    assert (
        "--arm 'kmeans' should be one of 'glorot_uniform', 'PC at norm 2'"
        in capsys.readouterr().err
    )
    assert not (tiny / "runs").exists()


# --- bf16 on a CPU that has no arithmetic for it -----------------------------------------------


@pytest.fixture
def mixed(tiny, monkeypatch):
    """Arms in both precisions, as in stage B; steps are timed at 6 and 1.5 operations a second."""
    arms = TINY.arms | {"bf16": {"precision": "bf16"}}
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, arms=arms, n_seeds=1))
    rates = {"fp32": 6.0, "bf16": 1.5}
    monkeypatch.setattr(cost, "_rate", lambda settings, device: rates[settings.precision])
    return tiny


def test_slow_bf16_is_said_before_a_run(mixed, monkeypatch, capsys):
    monkeypatch.setattr(cost, "computes_in_bf16", lambda: False)
    line = "2 of these runs are in bf16, for which this processor has no arithmetic"
    command = ["run", "tiny", "--quiet", "--device", "cpu"]
    assert main([*command, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert line in said and "about 4.0 times as long as in fp32" in said
    assert said.index(line) < said.index("minutes on cpu")
    assert main(command) == 0
    said = capsys.readouterr().out
    assert said.count(line) == 1 and said.index(line) < said.index("done")
    # They are made in bf16 all the same, and once they are there nothing is left to be said.
    assert read_result(mixed / "runs/tiny/digits--bf16--seed-0/result.npz").settings.precision == (
        "bf16"
    )
    assert main([*command, "--dry-run"]) == 0
    assert "bf16, for which" not in capsys.readouterr().out


def test_runs_in_fp32_hear_nothing_of_bf16(mixed, monkeypatch, capsys):
    monkeypatch.setattr(cost, "computes_in_bf16", lambda: False)
    only = ["--arm", "glorot_uniform", "--dry-run", "--device", "cpu"]
    assert main(["run", "tiny", *only]) == 0
    assert "bf16" not in capsys.readouterr().out


def test_a_processor_with_bf16_has_nothing_to_be_told(mixed, monkeypatch, capsys):
    monkeypatch.setattr(cost, "computes_in_bf16", lambda: True)
    assert main(["run", "tiny", "--dry-run", "--device", "cpu"]) == 0
    assert "for which" not in capsys.readouterr().out
    assert cost.slow_bf16(plan(STUDIES["tiny"]), "cuda") == ""


def test_what_the_processor_computes_is_asked_of_torch(monkeypatch):
    for supported in (False, True):
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda s=supported: s)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
        assert cost.computes_in_bf16() is supported
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not cost.computes_in_bf16()
    # The name is torch's own and may go.
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert not cost.computes_in_bf16()


def test_help_names_every_study(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = "".join(capsys.readouterr().out.split())  # argparse breaks lines at hyphens
    for study in studies.STUDIES:
        assert study in said
    assert main(["studies"]) == 0
    assert "250 epochs" in capsys.readouterr().out


# --- Nothing lost, nothing mixed ---------------------------------------------------------------


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory):
    """Two seeds of the study, one of them collected."""
    root = tmp_path_factory.mktemp("made")
    for seed in (0, 1):
        run_here(plan(TINY, range(seed, seed + 1), ("digits",)), root / "runs")
        if seed == 0:
            collecting.collect(TINY, root / "runs", root / "results", "python -m companion collect tiny")
    return root


@pytest.fixture
def made(tiny, two_seeds):
    """They, in the working directory; the folder of results."""
    for name in ("runs", "results"):
        shutil.copytree(two_seeds / name, tiny / name)
    return tiny / "results/tiny"


def files(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


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
    said = capsys.readouterr().err
    assert "digits--Glorot--seed-0.npz has the settings of no arm" in said
    assert "'glorot_uniform' -> 'kmeans'" in said
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
    with only_here(made / "lock"):
        assert main(["collect", "tiny"]) == 1
    assert "being worked in by another process" in capsys.readouterr().err


def with_about(path, **about):
    result = read_result(path)
    path.write_bytes(pack_result(dataclasses.replace(result, about=result.about | about)))


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
    said = capsys.readouterr().err
    assert "has seed=1" in said and "seeds 0 to 0" in said
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, stage="X"))
    registered = {"commit": "c0ffee", "date": "2020-01-01T00:00:00Z"}
    path = made.parent / "registration.json"
    path.write_text(json.dumps(registered | {"stages": {"tiny": "2120-01-01T00:00:00Z"}}))
    assert main(["collect", "tiny"]) == 1
    said = capsys.readouterr().err
    assert "before stage X (tiny) was registered (2120-01-01T00:00:00Z)" in said
    assert (made / "manifest.json").read_bytes() == before
    path.write_text(json.dumps(registered | {"stages": {"tiny": "2020-02-01T00:00:00Z"}}))
    assert main(["collect", "tiny"]) == 0
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["registration"]["date"] == "2020-02-01T00:00:00Z"
    assert not manifest["before_registration"]


def test_the_package_needs_no_posix_locks(tmp_path):
    """As on Windows: every module comes in without fcntl, and a folder can be held."""
    script = """
import importlib, pkgutil, sys, warnings
sys.modules["fcntl"] = None
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # filelock says that it takes marker files
    import filelock
import companion
for module in pkgutil.walk_packages(companion.__path__, "companion."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from pathlib import Path
from companion.runs.files import FolderBusy, only_here
with only_here(Path(sys.argv[1]) / "lock"):
    try:
        with only_here(Path(sys.argv[1]) / "lock"):
            print("held twice")
    except FolderBusy:
        print("held once")
"""
    said = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True
    )
    assert said.stdout == "held once\n", said.stderr
