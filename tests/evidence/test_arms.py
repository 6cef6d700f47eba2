"""Arms and their runs: as arrays, found by settings, paired by seed, and never lost."""

import dataclasses
import json
import math

import numpy as np
import pytest

from companion.evidence.arms import ArmKey
from companion.evidence.results import (
    NoResults,
    find_results,
    full_or_reduced_runs,
    merged,
    read_runs,
)
from companion.runs.files import StorageError
from companion.runs.record import RunRefused
from companion.runs.studies import STUDIES
from tests.synthetic import write_study

GLOROT, COMPONENTS, KMEANS = (
    ArmKey("glorot_uniform"),
    ArmKey("principal_components"),
    ArmKey("kmeans"),
)
EVERY_LAYER = ArmKey("principal_components", layers="all")


def test_arrays_of_an_arm(tmp_path):
    def distance(dataset, of, index):
        return 0.02 * (1 + index)

    write_study(
        tmp_path, "paper-small", accuracy=lambda dataset, of: 79.4, distance=distance, noise=0.3,
        keep=lambda settings: settings.method == "kmeans",
    )  # fmt: skip
    runs = read_runs("paper-small", folder=tmp_path / "results")
    arm = runs.find("fashion_mnist", KMEANS)
    assert (arm.seeds, arm.accuracy.shape, arm.distances.shape) == ([0, 1, 2], (3, 15), (3, 16, 9))
    assert arm.final == pytest.approx(79.4, abs=2)
    np.testing.assert_allclose(arm.final_distances, arm.distances[:, -1], rtol=0.08)
    # 40 steps an epoch, twelve epochs at 1e-3 and three at 1e-4.
    assert arm.squared_rates[-1] == pytest.approx(40 * (12 * 1e-6 + 3 * 1e-8))
    assert arm.noise(1.0)[-1] == pytest.approx(1 - (1 + 9 * arm.squared_rates[-1]) ** (-8 / 18))
    assert math.isclose(arm.norms[:, 0].mean(), 1, rel_tol=1e-3)


def test_diverged_runs_stay_as_they_ended(tmp_path):
    """Registered: the accuracy of the last epoch to the end, and the last finite filters."""
    from companion.runs.collect import collect
    from companion.runs.plan import plan
    from companion.runs.record import pack_result, read_result

    study = STUDIES["paper-small"]
    folder = write_study(tmp_path, "paper-small", seeds=range(2))
    run = plan(study)[0]
    broken = tmp_path / "synthetic-paper-small" / run.place / "result.npz"
    result = read_result(broken)
    ended = [np.array(rows[:4]) for rows in (result.norms, result.distances)]
    kept = result.filter_epochs[result.filter_epochs <= 3]
    filters = result.filters[: len(kept)].copy()
    for rows in (*ended, filters):
        rows[-1] = np.nan
    changed = dataclasses.replace(
        result, diverged=True, epochs=result.epochs[:3], norms=ended[0], distances=ended[1],
        filter_epochs=kept, filters=filters,
    )  # fmt: skip
    broken.write_bytes(pack_result(changed))
    (folder / "runs" / f"{run.name}.npz").unlink()  # one that differs would be refused
    (folder / "manifest.json").unlink()
    collect(study, broken.parents[2], folder.parent, "collect")
    runs = read_runs("paper-small", folder=folder.parent)
    arm = runs.find("cifar10", GLOROT)
    assert [result.diverged for result in arm.results] == [True, False]
    assert arm.accuracy.shape == (2, 15) and arm.distances.shape == (2, 16, 27)
    assert (arm.accuracy[0, 2:] == 100 * result.epochs[2].test_accuracy).all()
    np.testing.assert_allclose(arm.distances[0, 3:], np.tile(result.distances[2], (13, 1)))
    assert np.isfinite(arm.final_distances).all() and np.isfinite(arm.norms).all()


def test_results_are_found_above_and_missed_with_a_way_out(tmp_path, monkeypatch):
    write_study(tmp_path, "paper-small", seeds=range(1))
    below = tmp_path / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    assert find_results() == tmp_path / "results"
    assert read_runs("norms") is None
    with pytest.raises(NoResults, match="is no folder"):
        find_results(tmp_path / "elsewhere")


def test_full_runs_go_before_reduced_ones(tmp_path):
    write_study(tmp_path, "paper-small", seeds=range(1))
    results = tmp_path / "results"
    assert full_or_reduced_runs("paper", folder=results).studies == ("paper-small",)
    write_study(tmp_path, "paper", seeds=range(1))
    assert full_or_reduced_runs("paper", folder=results).studies == ("paper",)
    write_study(tmp_path, "norms-small", seeds=range(1))
    assert full_or_reduced_runs("norms", folder=results).studies == ("paper-small", "norms-small")
    assert full_or_reduced_runs("layers", folder=results) is None


def test_arms_are_paired_by_seed(tmp_path):
    write_study(
        tmp_path,
        "paper-small",
        keep=lambda settings: (settings.method, settings.seed) != ("kmeans", 1),
    )
    runs = read_runs("paper-small", folder=tmp_path / "results")
    kmeans, base = runs.paired("cifar10", "kmeans", "glorot_uniform")
    assert kmeans.seeds == base.seeds == [0, 2]
    at_glorots_norm = ArmKey("kmeans", norm="glorot")
    assert runs.paired("cifar10", KMEANS, at_glorots_norm) is None
    assert runs.find("cifar10", at_glorots_norm) is None
    with pytest.raises(KeyError, match="seed=1 has no finished run of k-means .* one of 0, 2"):
        runs.find("cifar10", KMEANS).run(1)
    assert runs.find("cifar10", KMEANS).run(2).settings.seed == 2


def test_pairs_made_under_unlike_conditions_are_refused(tmp_path):
    """One seed's k-means arm was made on a GPU, and all of another arm by other code."""

    def about(settings):
        if settings.method == "kmeans" and settings.seed == 1:
            return {"device": "cuda"}
        other = {"commit": None, "dirty": None, "digest": "1" * 16}
        return {"code": other} if settings.method == "random_patches" else {}

    folder = write_study(tmp_path, "paper-small", about=about)
    runs = read_runs("paper-small", folder=folder.parent)
    assert [arm.seeds for arm in runs.paired("cifar10", "kmeans", "glorot_uniform")] == [
        [0, 2],
        [0, 2],
    ]
    assert runs.paired("cifar10", "random_patches", "glorot_uniform") is None
    mixed = json.loads((folder / "manifest.json").read_text())["mixed"]
    assert len(mixed) == 6 and mixed[2] == {
        "dataset": "cifar10", "seed": 1, "device": ["cpu", "cuda"], "code": ["0" * 16, "1" * 16],
    }  # fmt: skip

    # Somebody has seen to it that nothing that trains a run changed between the two.
    registered = {
        "same_training": [{"digests": ["1" * 16, "0" * 16], "why": "only charts changed"}]
    }
    (folder.parent / "registration.json").write_text(json.dumps(registered))
    runs = read_runs("paper-small", folder=folder.parent)
    assert runs.paired("cifar10", "random_patches", "glorot_uniform")[0].seeds == [0, 1, 2]


def test_arms_are_found_by_their_settings():
    assert ArmKey("kmeans") == ArmKey(method="kmeans") != ArmKey("kmeans", frozen=True)
    labels = {
        "k-means at Glorot's norm, never trained": ArmKey("kmeans", frozen=True, norm="glorot"),
        "Glorot uniform at norm 0.5": ArmKey(norm=0.5),
        "principal components, every layer": EVERY_LAYER,
        "principal components, 5% of the labels": ArmKey("principal_components", label_share=0.05),
    }
    for label, of in labels.items():
        assert of.label == label
    every = [ArmKey(**arm) for study in STUDIES.values() for arm in study.arms.values()]
    assert len({of.label for of in every}) == len(set(every))
    with pytest.raises(ValueError, match="method='k-means' is unknown"):
        ArmKey("k-means")
    with pytest.raises(ValueError, match="settings=norms should be among"):
        ArmKey("kmeans", norms=1.0)


def test_arms_of_several_studies_are_told_apart(tmp_path):
    """The grid's runs last 30 epochs, the anchor's 250."""
    for study in ("grid", "anchor"):
        folder = write_study(
            tmp_path, study, seeds=range(2), keep=lambda s: ArmKey(s.method) in (KMEANS, COMPONENTS)
        )
    both = read_runs("grid", "anchor", folder=folder.parent)
    with pytest.raises(ValueError, match=r"fits 2 arms .* \(epochs: 30 -> 250, drop_after: 24 -> "):
        both.find("fashion_mnist", KMEANS)
    assert both.find("cifar10", KMEANS).settings.epochs == 30
    assert both.find("fashion_mnist", ArmKey("kmeans", epochs=250, drop_after=200))
    assert (
        read_runs("grid", folder=folder.parent).find("cifar10", COMPONENTS).settings.norm == "own"
    )


def test_frozen_runs_are_paired_with_trained_ones_of_another_study(tmp_path):
    frozen = ArmKey("kmeans", frozen=True)
    results = tmp_path / "results"
    ends = {"paper-small": 80.0, "frozen-small": 78.0, "frozen": 78.0}
    for study in ("paper-small", "frozen-small"):
        write_study(tmp_path, study, accuracy=lambda dataset, of, study=study: ends[study])
    both = full_or_reduced_runs("paper", "frozen", folder=results)
    assert both.studies == ("paper-small", "frozen-small")
    still, trained = both.paired("cifar10", frozen, KMEANS)
    assert (still.final - trained.final) == pytest.approx(np.full(3, -2), abs=0.3)
    assert both.paired("cifar10", frozen, ArmKey("kmedoids")) is None

    # Frozen runs of another length and on all images are nobody's pair.
    write_study(tmp_path, "frozen", seeds=range(1), keep=lambda s: s.method == "kmeans")
    unlike = full_or_reduced_runs("paper", "frozen", folder=results)
    assert unlike.studies == ("paper-small", "frozen")
    assert unlike.find("cifar10", frozen) and unlike.paired("cifar10", frozen, KMEANS) is None


def test_unlike_precision_makes_no_pair(tmp_path):
    folder = write_study(tmp_path, "precision", seeds=range(2))
    runs = read_runs("precision", folder=folder.parent)
    names = [ArmKey("glorot_uniform", precision=precision) for precision in ("bf16", "fp32")]
    # The study's own precision is fp32, so that is what sets these arms apart from no other.
    assert [runs.find("cifar10", key).key for key in names] == [names[0], GLOROT]
    assert runs.paired("cifar10", *names) is None


def test_runs_of_several_studies_become_one_arm(tmp_path):
    """Fresh seeds of another study, made alike."""
    for study in ("grid", "confirm"):
        write_study(tmp_path, study, keep=lambda s: s.dataset == "cifar10")
    runs = [read_runs(name, folder=tmp_path / "results") for name in ("grid", "confirm", "wide")]
    together = merged(*runs)
    assert together.find("cifar10", GLOROT).seeds == list(range(10))
    assert together.find("cifar10", KMEANS).seeds == list(range(6))
    assert together.studies == ("grid", "confirm") and len(together.manifests) == 2
    assert merged(None) is None


def test_a_listed_record_must_be_there_and_fit_an_arm(tmp_path, monkeypatch):
    """Nothing vanishes when a study loses an arm, or a folder a file."""
    folder = write_study(tmp_path, "paper-small", seeds=range(1))
    study = STUDIES["paper-small"]
    arms = {name.replace("kmeans", "k-means"): arm for name, arm in study.arms.items()}
    renamed = dataclasses.replace(study, arms=arms)
    monkeypatch.setitem(STUDIES, "paper-small", renamed)
    assert read_runs("paper-small", folder=folder.parent).find("cifar10", KMEANS)
    fewer = {name: arm for name, arm in study.arms.items() if name != "kmeans"}
    monkeypatch.setitem(STUDIES, "paper-small", dataclasses.replace(study, arms=fewer))
    with pytest.raises(
        RunRefused, match=r"--kmeans--seed-0.npz has the settings of no arm of 'paper-small'"
    ):
        read_runs("paper-small", folder=folder.parent)
    monkeypatch.setitem(STUDIES, "paper-small", study)
    one = next((folder / "runs").glob("*kmeans*"))
    one.write_bytes(next((folder / "runs").glob("*glorot*")).read_bytes())
    with pytest.raises(StorageError, match="not the file that manifest.json lists"):
        read_runs("paper-small", folder=folder.parent)
    one.unlink()
    with pytest.raises(StorageError, match="could not be read.*git checkout"):
        read_runs("paper-small", folder=folder.parent)
