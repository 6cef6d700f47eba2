"""Runs that would be compared with nothing: refused before the first step, and counted apart."""

import dataclasses
import json
import shutil

import pytest

from companion.runs.cli import main
from companion.runs.plan import plan
from companion.runs.provenance import code
from companion.runs.studies import STUDIES
from tests.runs.tiny import TINY, with_about

OWN, OTHER = code()["digest"], "1" * 16
RUN = ["run", "tiny", "--datasets", "digits", "--quiet", "--device", "cpu"]


def by_other_code(folder, *patterns):
    """Say of records that other code made them."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            with_about(path, code={"commit": "c0ffee", "dirty": False, "digest": OTHER})


@pytest.fixture
def unlike(made):
    """One run of seed 0 is collected, made by other code, and nothing else; folder of results."""
    shutil.rmtree(made.parents[1] / "runs")
    (made / "manifest.json").unlink()
    by_other_code(made, "runs/*.npz")
    (made / "runs/digits--PC-at-norm-2--seed-0.npz").unlink()
    return made


def register(results, **content):
    (results / "registration.json").write_text(json.dumps(content))


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_run_that_nothing_is_compared_with_is_refused(unlike, capsys, more):
    assert main([*RUN, *more]) == 1
    text = capsys.readouterr().err
    assert OWN in text and OTHER in text and "commit c0ffee" in text and "1 of the 3" in text
    assert not list(unlike.parents[1].glob("runs/*/*/*"))
    # Of seed 1 there is nothing yet that it could be unlike.
    assert main([*RUN, "--seeds", "1-1", *more]) == 0


def test_anyway_makes_a_study_of_its_own(unlike, capsys):
    assert main([*RUN, "--seeds", "1", "--anyway"]) == 0
    assert "study of their own" in capsys.readouterr().out
    assert main(["status", "tiny", "--seeds", "1", "--datasets", "digits", "--quiet"]) == 0
    assert capsys.readouterr().out == (
        "tiny: 2 finished, 1 of them of unlike code (not compared)\n"
    )
    assert main([*RUN, "--seeds", "1", "--dry-run"]) == 0  # nothing is left to be made
    assert "2 of them finished, 1 of them of unlike code" in capsys.readouterr().out
    assert main(["collect", "tiny"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 8 runs" in printed and "1 more runs are of unlike code (not compared)" in printed
    assert len(list((unlike / "runs").iterdir())) == 1
    assert main(["collect", "tiny", "--results", "elsewhere"]) == 0  # where nothing is unlike it


def test_code_that_trains_alike_is_none_that_is_unlike(unlike, capsys):
    register(unlike.parent, same_training=[{"digests": [OTHER, OWN]}])
    assert main([*RUN, "--seeds", "1"]) == 0
    assert main(["status", "tiny", "--seeds", "1", "--datasets", "digits", "--quiet"]) == 0
    assert capsys.readouterr().out.endswith("tiny: 2 finished\n")
    assert main(["collect", "tiny"]) == 0
    assert "2 of 8 runs" in capsys.readouterr().out


def test_a_stage_is_made_by_the_registered_code_alone(tiny, monkeypatch, capsys):
    """Even while nothing of it is collected."""
    monkeypatch.setitem(STUDIES, "tiny", dataclasses.replace(TINY, stage="X"))
    (tiny / "results").mkdir()
    register(tiny / "results", runs={"commit": "c0ffee", "digest": OTHER})
    assert main([*RUN, "--seeds", "1"]) == 1
    text = capsys.readouterr().err
    assert "stage X" in text and OTHER in text and OWN in text and "commit c0ffee" in text
    assert main([*RUN, "--seeds", "1", "--anyway"]) == 0
    capsys.readouterr()
    assert main(["collect", "tiny"]) == 1
    assert "the 2 finished runs" in capsys.readouterr().err
    by_other_code(tiny, "runs/tiny/digits--PC*/result.npz")
    assert main(["collect", "tiny"]) == 0
    assert "1 more runs are of unlike code" in capsys.readouterr().out
    assert main(["status", "tiny", "--quiet"]) == 0
    assert "2 finished, 1 of them of unlike code" in capsys.readouterr().out
    register(tiny / "results", runs={"commit": "c0ffee", "digest": OWN})
    assert main([*RUN, "--seeds", "2", "--dry-run"]) == 0


def test_a_study_beside_another_is_compared_with_it(unlike, monkeypatch, capsys):
    """As the stages of 30 epochs are with stage B."""
    arms = {"kmeans": {"method": "kmeans"}}
    beside = dataclasses.replace(TINY, name="beside", arms=arms, beside=("tiny",))
    monkeypatch.setitem(STUDIES, "beside", beside)
    assert main(["run", "beside", *RUN[2:], "--seeds", "1"]) == 1
    assert OTHER in capsys.readouterr().err
    assert main(["run", "beside", *RUN[2:], "--seeds", "1-1", "--dry-run"]) == 0


def test_a_study_without_records_just_runs(tiny):
    assert main([*RUN, "--seeds", "1"]) == 0
    assert main(["status", "tiny", "--quiet"]) == 0


def test_unlike_runs_collected_at_once_are_counted(made, capsys):
    """Nothing was collected before: what lies there is taken, and the later half named."""
    shutil.rmtree(made)
    by_other_code(made.parents[1], "runs/tiny/digits--PC*/result.npz")
    for run in plan(TINY, range(2), ("digits",)):
        begun = "2026-01-02" if run.arm == "PC at norm 2" else "2026-01-01"
        with_about(run.record(made.parents[1] / "runs"), begun=f"{begun}T00:00:00Z")
    assert main(["collect", "tiny"]) == 0
    assert "4 of 8 runs, 2 of them of unlike code (not compared)" in capsys.readouterr().out
    names = json.loads((made / "manifest.json").read_text())["unlike_code"]
    assert names == [f"digits--PC-at-norm-2--seed-{seed}" for seed in (0, 1)]


def test_registered_stages_stand_beside_stage_b():
    """Stages of stage B's length and precision are compared with its runs."""
    shared = STUDIES["grid"].common
    for study in STUDIES.values():
        if study.stage and study.name != "grid" and study.common == shared:
            assert study.beside == ("grid",), study.name
