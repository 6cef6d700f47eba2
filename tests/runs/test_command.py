"""Studies from plan to tables, through the command that a person gives."""

import contextlib
import dataclasses
import hashlib
import json
import shlex
import shutil

import numpy as np
import pytest
import torch

from companion.evidence.results import read_runs
from companion.runs import cost, studies
from companion.runs import local as running
from companion.runs import run as runs_module
from companion.runs.cli import main
from companion.runs.files import exclusive_lock
from companion.runs.plan import plan
from companion.runs.record import read_result
from companion.runs.run import execute
from companion.runs.studies import STUDIES
from tests.runs.tiny import TINY, rows


def test_from_plan_to_tables(tiny, capsys):
    assert main(["run", "tiny", "--dry-run", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "8 runs, 0 of them finished; 16 epochs to make" in printed and "minutes on cpu" in printed
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
        held.enter_context(exclusive_lock(tiny / "runs" / expected[0] / "lock"))
        assert main(command) == 0
    assert made == [*expected[1:], expected[0]]
    printed = capsys.readouterr()
    assert "run 4/4, epoch 8/8" in printed.err and "python -m companion collect other tiny" in printed.out
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


def test_an_error_of_ours_is_no_polite_line(tiny, monkeypatch):
    monkeypatch.setattr(running, "execute", lambda *args, **kwargs: int("seven"))
    with pytest.raises(ValueError, match="invalid literal"):
        main(["run", "tiny", "--quiet", "--device", "cpu"])


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


def test_seeds_that_no_stage_is_registered_for_are_refused(tiny, monkeypatch, capsys):
    monkeypatch.setitem(STUDIES, "other", dataclasses.replace(TINY, name="other", stage="X"))
    for command in ("run", "status"):
        assert main([command, "other", "--seeds", "7-9"]) == 1
        error = capsys.readouterr().err
        assert "--seeds 7-9" in error and "other" in error
    assert main(["run", "other", "tiny", "--seeds", "7-9", "--dry-run"]) == 0


def test_the_last_line_collects_what_was_made(tiny, capsys):
    """As it is, from another folder too."""
    some = ["--datasets", "digits", "--seeds", "1", "--quiet", "--device", "cpu"]
    assert main(["run", "tiny", "--folder", "my runs", "--results", "mine", *some]) == 0
    line = shlex.split(capsys.readouterr().out.splitlines()[-1])
    command = line[line.index("companion") + 1 :]
    assert main(command) == 0
    assert "2 of 8 runs" in capsys.readouterr().out and (tiny / "mine/tiny/runs.csv").exists()


def test_status_of_a_damaged_record(made, capsys):
    """It is named, and all others are counted."""
    damaged = plan(TINY)[0].record(made.parents[1] / "runs")
    damaged.write_bytes(damaged.read_bytes()[:3000])
    shutil.rmtree(made)
    assert main(["status", "tiny", "--datasets", "digits"]) == 0
    printed = capsys.readouterr().out
    assert str(damaged.relative_to(made.parents[1])) in printed
    assert "tiny: 3 finished, 1 refused" in printed


def test_arms_of_a_study(tiny, capsys):
    """Only what was named is planned, made and told of; the parts are those of the whole study."""
    arms = ["--arm", "PC at norm 2"]
    assert main(["run", "tiny", *arms, "--dry-run", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "4 runs, 0 of them finished" in printed
    assert "PC at norm 2" in printed and "glorot_uniform" not in printed
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


# --- Folders --------------------------------------------------------------------------------------


def test_the_home_folder_is_written_as_in_a_shell(tiny, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tiny / "home"))
    where = ["--folder", "~/runs", "--results", "~/results"]
    one = ["--seeds", "1", "--datasets", "digits", "--quiet"]
    assert main(["run", "tiny", *one, "--device", "cpu", *where]) == 0
    assert main(["status", "tiny", *one, "--folder", "~/runs"]) == 0
    assert "tiny: 2 finished" in capsys.readouterr().out
    assert main(["collect", "tiny", *where]) == 0
    assert (tiny / "home/results/tiny/manifest.json").exists() and not (tiny / "~").exists()
    found = read_runs("tiny", folder="~/results")
    assert found is not None and found.n_finished == 2
    with pytest.raises(SystemExit):
        main(["status", "tiny", "--folder", "~nobody-is-called-so/runs"])
    assert "~nobody-is-called-so" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--folder", "--results"])
@pytest.mark.parametrize("command", ["run", "status", "collect"])
def test_a_file_is_no_folder(tiny, capsys, flag, command):
    (tiny / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(SystemExit):
            main([command, "tiny", flag, place])
        assert "'file' is a file" in capsys.readouterr().err


def test_status_of_a_folder_that_is_not_there(tiny, made, capsys):
    """A folder that was named must be there; the usual ones may be there one by one."""
    for flag in ("--folder", "--results"):
        assert main(["status", "tiny", flag, "nowhere"]) == 1
        printed = capsys.readouterr()
        assert f"{flag} nowhere is not there" in printed.err and "waiting" not in printed.out
    assert main(["collect", "tiny", "--folder", "nowhere"]) == 1
    assert "--folder nowhere is not there" in capsys.readouterr().err
    shutil.rmtree(tiny / "runs")
    assert main(["status", "tiny", "--seeds", "1", "--datasets", "digits", "--quiet"]) == 0
    assert capsys.readouterr().out == "tiny: 2 finished\n"  # collected before
    shutil.rmtree(tiny / "results")
    assert main(["status", "tiny"]) == 1
    printed = capsys.readouterr()
    assert "neither runs/ nor results/" in printed.err and not printed.out


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
    printed = capsys.readouterr().out
    assert line in printed and "about 4.0 times as long as in fp32" in printed
    assert printed.index(line) < printed.index("minutes on cpu")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.count(line) == 1 and printed.index(line) < printed.index("done")
    # They are made in bf16 all the same, and once they are there nothing is left to print.
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
    printed = "".join(capsys.readouterr().out.split())  # argparse breaks lines at hyphens
    for study in studies.STUDIES:
        assert study in printed
    assert main(["studies"]) == 0
    assert "250 epochs" in capsys.readouterr().out
