"""Verdicts follow the data: each claim on results that bear it out, refute it, or are too few."""

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from patchinit.chapters.claim_list import read_claims
from patchinit.evidence.arms import Of
from patchinit.evidence.claims.accuracy import compare, difference
from patchinit.evidence.claims.change import (
    norm_share,
    norm_slope,
    over_noise,
    trend,
    turn_ratio,
)
from patchinit.evidence.claims.findings import findings
from patchinit.evidence.claims.rules import (
    DECIDED,
    FULL_RUNS,
    MORE_SEEDS,
    NO,
    OPEN,
    YES,
    all_of,
)
from patchinit.evidence.claims.speed import speed
from patchinit.evidence.results import (
    NoResults,
    find_results,
    full_or_reduced_runs,
    read_runs,
)
from patchinit.experiments.files import StorageError
from patchinit.experiments.record import RunRefused
from patchinit.experiments.studies import STUDIES
from tests.synthetic import N_TEST, write_study

ROOT = Path(__file__).parents[2]
DATA = ("principal_components", "kmeans")
EVERY_LAYER = Of("principal_components", layers="all")
GLOROT, COMPONENTS, KMEANS = Of("glorot_uniform"), Of("principal_components"), Of("kmeans")


def as_the_paper_has_it(dataset, of):
    """Final accuracies, in percent."""
    order = {"principal_components": 1.0, "glorot_uniform": 0.0, "kmeans": -0.6}
    return 80 + order.get(of.method, -1.2)


def reversed_order(dataset, of):
    return 160 - as_the_paper_has_it(dataset, of)


def far_from_random(dataset, of, index):
    """Glorot's filters turn five times as far at any norm, and each later filter further."""
    return (0.02 if of.method in DATA else 0.1) * (1 + index)


def by_the_norm(dataset, of, index):
    """How far a filter turns is a matter of its norm alone; neither does the order matter."""
    short = of == GLOROT or of.settings.get("norm") == "glorot"
    ripple = 1 + 0.1 * np.cos(20 * index)
    return (0.1 if short else 0.02) * ripple


def under_adam(settings):
    return settings.optimizer == "adam"


def read(root, *studies):
    return {study: full_or_reduced_runs(study, folder=root / "results") for study in studies}


@pytest.fixture(scope="module")
def bearing_out(tmp_path_factory):
    """All claims of the paper hold."""
    root = tmp_path_factory.mktemp("yes")
    write_study(
        root, "paper", accuracy=as_the_paper_has_it, distance=far_from_random, seeds=range(5),
        slowness=lambda dataset, of: 3 if of == COMPONENTS else 5,
        rough=lambda dataset, of: 0.2 if of.method in DATA else 1.0,
    )  # fmt: skip
    write_study(root, "norms", distance=far_from_random, keep=under_adam)
    write_study(root, "frozen", accuracy=as_the_paper_has_it)
    write_study(root, "layers", accuracy=lambda dataset, of: 82.0 if of == EVERY_LAYER else 80.0)
    write_study(
        root,
        "labels",
        accuracy=lambda dataset, of: 70.0 if of.method == "principal_components" else 65.0,
    )
    return findings(**read(root, "paper", "norms", "frozen", "layers", "labels"))


@pytest.fixture(scope="module")
def refuting(tmp_path_factory):
    """The opposite of every claim."""
    root = tmp_path_factory.mktemp("no")
    write_study(
        root, "paper", accuracy=reversed_order, distance=by_the_norm, seeds=range(5),
        slowness=lambda dataset, of: 8 if of == COMPONENTS else 5,
        rough=lambda dataset, of: 1.0 if of.method in DATA else 0.2,
    )  # fmt: skip
    write_study(root, "norms", distance=by_the_norm, keep=under_adam)
    write_study(root, "frozen", accuracy=reversed_order)
    write_study(root, "layers", accuracy=lambda dataset, of: 82.0 if of == COMPONENTS else 80.0)
    write_study(
        root,
        "labels",
        accuracy=lambda dataset, of: 65.0 if of.method == "principal_components" else 70.0,
    )
    return findings(**read(root, "paper", "norms", "frozen", "layers", "labels"))


LISTED = read_claims(ROOT / "book/claims.yml")
CLAIMS = [number for number, claim in LISTED.items() if claim.rests_on_runs]


@pytest.mark.parametrize("claim", CLAIMS)
def test_verdicts_turn_with_the_data(bearing_out, refuting, claim):
    """A claim that is put into the list is here without a line of this file."""
    assert (bearing_out[claim].verdict, refuting[claim].verdict) == (YES, NO)
    assert bearing_out[claim].needed == refuting[claim].needed == DECIDED


def test_effects_carry_the_signs_and_what_the_paper_says(bearing_out, refuting):
    (yes,), (no,) = bearing_out[1].effects, refuting[1].effects
    assert (yes.dataset, yes.unit, yes.arms) == ("cifar10", "pp", ((COMPONENTS, GLOROT),))
    assert yes.value.estimate == pytest.approx(1, abs=0.2) and no.value.side() == -1
    assert yes.paper == pytest.approx(0.09)
    assert [effect.paper for effect in bearing_out[4].effects] == [pytest.approx(-0.85), None]
    assert len(bearing_out[25].effects[0].arms) == 3  # averaged over three shares of the labels
    assert bearing_out[11].parts == {claim: [YES, YES] for claim in (7, 8, 9, 10)}


def test_reduced_runs_give_no_verdict_but_are_read(tmp_path):
    for study in ("paper-small", "norms-small", "frozen-small"):
        write_study(tmp_path, study, accuracy=as_the_paper_has_it, distance=far_from_random)
    found = findings(**read(tmp_path, "paper", "norms", "frozen", "layers", "labels"))
    assert list(found) == CLAIMS
    assert {finding.verdict for finding in found.values()} == {OPEN}
    assert {found[claim].reading for claim in (1, 2, 3, 4, 5, 7, 8, 9, 10)} == {YES}
    assert {finding.needed for finding in found.values()} == {FULL_RUNS}


def test_a_reduced_part_keeps_the_whole_undecided(tmp_path):
    write_study(tmp_path, "paper", distance=far_from_random)
    write_study(tmp_path, "paper-small", distance=far_from_random)
    write_study(tmp_path, "norms-small", distance=far_from_random)
    found = findings(**read(tmp_path, "paper", "norms"))
    assert found[7].reading == YES and found[7].verdict == OPEN
    assert found[8].verdict == YES  # rests on the full study alone


def test_without_runs_nothing_is_decided():
    found = findings(None)
    assert list(found) == CLAIMS
    for finding in found.values():
        assert finding.verdict == finding.reading == OPEN and finding.needed == FULL_RUNS
        assert not finding.effects and not finding.parts


def test_one_seed_decides_nothing(tmp_path):
    write_study(
        tmp_path, "paper", accuracy=as_the_paper_has_it, distance=far_from_random, seeds=range(1)
    )
    found = findings(full_or_reduced_runs("paper", folder=tmp_path / "results"))
    assert {finding.verdict for finding in found.values()} == {OPEN}
    assert found[1].effects[0].value.high == math.inf and found[1].needed == MORE_SEEDS


def test_noise_leaves_claims_undecided_and_says_how_many_seeds(tmp_path):
    write_study(tmp_path, "paper", noise=0.6)
    found = findings(full_or_reduced_runs("paper", folder=tmp_path / "results"))
    assert found[1].verdict == found[2].verdict == OPEN
    assert found[1].needed == MORE_SEEDS and found[1].n_seeds > 3


def test_differences_too_small_to_matter_refute(tmp_path):
    write_study(tmp_path, "paper", noise=0.01, seeds=range(6))
    found = findings(full_or_reduced_runs("paper", folder=tmp_path / "results"))
    assert found[1].verdict == found[3].verdict == NO and found[1].effects[0].equivalent


def test_one_data_set_does_not_decide_a_claim_on_both(tmp_path):
    write_study(
        tmp_path, "paper", accuracy=as_the_paper_has_it, distance=far_from_random, seeds=range(5),
        keep=lambda settings: settings.dataset == "cifar10",
    )  # fmt: skip
    found = findings(full_or_reduced_runs("paper", folder=tmp_path / "results"))
    assert found[1].verdict == YES and not found[2].effects
    assert (
        found[3].verdict
        == found[5].verdict
        == found[6].verdict
        == found[8].verdict
        == found[11].verdict
        == OPEN
    )


@pytest.mark.parametrize(
    "parts, whole", [([YES, YES], YES), ([YES, OPEN], OPEN), ([YES, NO, OPEN], NO), ([], OPEN)]
)
def test_all_of(parts, whole):
    assert all_of(parts) == whole


# --- What the verdicts are made of ----------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_study(
        root, "paper-small", accuracy=as_the_paper_has_it, distance=far_from_random, noise=0.3
    )
    return read_runs("paper-small", folder=root / "results")


def test_comparisons_by_hand(runs):
    """Mean, spread and Holm's factors recomputed from the bits with numpy and scipy."""
    from scipy import stats

    table = compare(runs)
    assert len(table) == 8  # four arms beside Glorot, two data sets
    raw = []
    for row in table:
        ours, base = runs.paired(row.dataset, row.arm, "glorot_uniform")
        by_hand = 100 * (ours.correct.sum(1) - base.correct.sum(1)) / N_TEST
        assert row.differences == pytest.approx(by_hand) and row.interval.estimate == pytest.approx(
            by_hand.mean()
        )
        assert row.interval.low < row.interval.estimate < row.interval.high
        raw.append(stats.ttest_rel(ours.final, base.final).pvalue)
    order = np.argsort(raw)
    stepped = np.maximum.accumulate(np.array(raw)[order] * (8 - np.arange(8))).clip(max=1)
    assert [table[i].p_holm for i in order] == pytest.approx(stepped)
    papers = {(c.dataset, c.arm): c.paper for c in table}
    assert papers["cifar10", COMPONENTS] == pytest.approx(0.09)


def test_ratio_of_turns_is_what_was_put_in(runs):
    ratio = turn_ratio(
        runs, "cifar10", [("glorot_uniform", "principal_components"), ("glorot_uniform", "kmeans")]
    )
    assert ratio.estimate == pytest.approx(5, rel=0.05) and ratio.low < 5 < ratio.high
    assert turn_ratio(runs, "cifar10", [("glorot_uniform", "kmedoids")]) is None


def test_trend_and_speed_are_what_was_put_in(runs):
    arm = runs.arm("cifar10", COMPONENTS)
    assert trend(arm).estimate > 0.99 and trend(arm, with_last=False).n == 3
    fast = speed(runs, "cifar10", "principal_components")
    assert fast.horizon == 15 and fast.area.n == 3 and set(fast.epochs) == {0.8, 0.9, 0.95}


def test_arrays_of_an_arm(runs):
    arm = runs.arm("fashion_mnist", KMEANS)
    assert (arm.seeds, arm.accuracy.shape, arm.distances.shape) == ([0, 1, 2], (3, 15), (3, 16, 9))
    assert arm.final == pytest.approx(79.4, abs=2)
    np.testing.assert_allclose(arm.final_distances, arm.distances[:, -1], rtol=0.08)
    # 40 steps an epoch, twelve epochs at 1e-3 and three at 1e-4.
    assert arm.squared_rates[-1] == pytest.approx(40 * (12 * 1e-6 + 3 * 1e-8))
    assert arm.noise(1.0)[-1] == pytest.approx(1 - (1 + 9 * arm.squared_rates[-1]) ** -0.5)
    assert math.isclose(arm.norms[:, 0].mean(), 1, rel_tol=1e-3)


def test_diverged_runs_stay_as_they_ended(tmp_path):
    """Registered: the accuracy of the last epoch to the end, and the last finite filters."""
    from patchinit.experiments.collect import collect
    from patchinit.experiments.plan import plan
    from patchinit.experiments.record import pack_result, read_result

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
    arm = runs.arm("cifar10", GLOROT)
    assert runs.n_diverged == 1 and arm.seeds == [0, 1]
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
    assert full_or_reduced_runs("paper", folder=results).reduced
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
    at_glorots_norm = Of("kmeans", norm="glorot")
    assert not runs.has("cifar10", KMEANS, at_glorots_norm)
    with pytest.raises(
        KeyError, match="k-means at Glorot's norm on cifar10 has no runs in paper-s"
    ):
        runs.paired("cifar10", KMEANS, at_glorots_norm)
    with pytest.raises(KeyError, match="there are: Glorot uniform; principal components; k-means;"):
        runs.arm("cifar10", at_glorots_norm)
    with pytest.raises(KeyError, match="seed=1 has no finished run of k-means .* one of 0, 2"):
        runs.arm("cifar10", KMEANS).run(1)
    assert runs.arm("cifar10", KMEANS).run(2).settings.seed == 2


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
    assert not runs.has("cifar10", "random_patches", "glorot_uniform")
    with pytest.raises(KeyError, match=r"unlike conditions: seed 0 has code 0{16}, 1{16}; seed 1"):
        runs.paired("cifar10", "random_patches", "glorot_uniform")
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
    assert Of("kmeans") == Of(method="kmeans") != Of("kmeans", frozen=True)
    labels = {
        "k-means at Glorot's norm, never trained": Of("kmeans", frozen=True, norm="glorot"),
        "Glorot uniform at norm 0.5": Of(norm=0.5),
        "principal components, every layer": EVERY_LAYER,
        "principal components, 5% of the labels": Of("principal_components", label_share=0.05),
    }
    for label, of in labels.items():
        assert of.label == label
    every = [Of(**arm) for study in STUDIES.values() for arm in study.arms.values()]
    assert len({of.label for of in every}) == len(set(every))
    with pytest.raises(ValueError, match="method='k-means' is unknown"):
        Of("k-means")
    with pytest.raises(ValueError, match="settings=norms should be among"):
        Of("kmeans", norms=1.0)


def test_arms_of_several_studies_are_told_apart(tmp_path):
    """The grid's runs last 30 epochs, the anchor's 250."""
    for study in ("grid", "anchor"):
        folder = write_study(
            tmp_path, study, seeds=range(2), keep=lambda settings: settings.method in DATA
        )
    both = read_runs("grid", "anchor", folder=folder.parent)
    with pytest.raises(ValueError, match=r"fits 2 arms .* \(epochs: 30 -> 250, drop_after: 24 -> "):
        both.arm("fashion_mnist", KMEANS)
    assert both.arm("cifar10", KMEANS).settings.epochs == 30
    assert both.arm("fashion_mnist", Of("kmeans", epochs=250, drop_after=200))
    assert read_runs("grid", folder=folder.parent).arm("cifar10", COMPONENTS).settings.norm == "own"


def test_frozen_runs_are_paired_with_trained_ones_of_another_study(tmp_path):
    frozen = Of("kmeans", frozen=True)
    results = tmp_path / "results"
    ends = {"paper-small": 80.0, "frozen-small": 78.0, "frozen": 78.0}
    for study in ("paper-small", "frozen-small"):
        write_study(tmp_path, study, accuracy=lambda dataset, of, study=study: ends[study])
    both = full_or_reduced_runs("paper", "frozen", folder=results)
    assert both.studies == ("paper-small", "frozen-small")
    lost = difference(both, "cifar10", frozen, KMEANS)
    assert lost.estimate == pytest.approx(-2, abs=0.2) and lost.n == 3
    assert difference(both, "cifar10", frozen, "kmedoids") is None

    # Frozen runs of another length and on all images are nobody's pair.
    write_study(tmp_path, "frozen", seeds=range(1), keep=lambda s: s.method == "kmeans")
    unlike = full_or_reduced_runs("paper", "frozen", folder=results)
    assert unlike.studies == ("paper-small", "frozen") and not unlike.has("cifar10", frozen, KMEANS)
    with pytest.raises(KeyError, match=r"unlike conditions: seed 0 has n_train 5000, None and"):
        unlike.paired("cifar10", frozen, KMEANS)


# --- Norm and distance, against closed forms ------------------------------------------------------


def planted(method, norms, turned):
    """Stands for an arm of one seed a norm."""
    norms, turned = np.asarray(norms, dtype=float), np.asarray(turned, dtype=float)
    return SimpleNamespace(
        norms=np.tile(norms[:, None, None], (1, 2, 3)), turned=turned, results=[None] * len(norms),
        settings=SimpleNamespace(method=method),
    )  # fmt: skip


def test_slope_of_a_power_of_the_norm():
    norms = np.array([0.25, 0.5, 1, 2])
    arms = [planted("kmeans", norms[:2], norms[:2] ** -2), planted("kmeans", [1, 2], [1, 1 / 4])]
    assert norm_slope(arms) == pytest.approx(-2)
    assert norm_slope([planted("kmeans", [1, 1.5], [1, 2])]) is None and norm_slope([]) is None


def test_share_that_the_norm_explains():
    """A parabola in the log of the norm explains itself, and half of the variance beside a level.

    The levels of two methods with equal norms are at right angles to the norm's part.
    """
    norms = np.exp([-1.0, 0.0, 1.0])
    parabola = 3 * np.log(norms) ** 2 - np.log(norms)
    assert norm_share([planted("kmeans", norms, np.exp(parabola))]) == pytest.approx(1)
    straight = np.log(norms) / np.log(norms).std()  # of variance 1, and the levels' is 1 too
    arms = [
        planted(method, norms, np.exp(straight + level))
        for method, level in (("kmeans", 1), ("random_patches", -1))
    ]
    assert norm_share(arms) == pytest.approx(0.5)
    assert norm_share(arms, by_method=True) == pytest.approx(1)


def test_distance_over_the_null():
    arm = SimpleNamespace(turned=np.array([0.1, 0.4]), noise=lambda: np.array([0.0, 0.05, 0.1]))
    assert over_noise(arm).estimate == pytest.approx(2) and over_noise(arm).n == 2


def test_precision_is_compared_on_purpose_alone(tmp_path):
    folder = write_study(tmp_path, "precision", seeds=range(2))
    runs = read_runs("precision", folder=folder.parent)
    names = [Of("glorot_uniform", precision=precision) for precision in ("bf16", "fp32")]
    # The study's own precision is fp32, so that is what tells these arms from no other.
    assert [runs.arm("cifar10", of).of for of in names] == [names[0], GLOROT]
    assert not runs.has("cifar10", *names)
    with pytest.raises(KeyError, match="seed 0 has precision bf16, fp32"):
        runs.paired("cifar10", *names)
    assert [arm.seeds for arm in runs.paired("cifar10", *names, across_precision=True)] == [
        [0, 1],
        [0, 1],
    ]
    assert json.loads((folder / "manifest.json").read_text())["mixed"] == []


def test_a_listed_record_must_be_there_and_fit_an_arm(tmp_path, monkeypatch):
    """Nothing vanishes when a study loses an arm, or a folder a file."""
    folder = write_study(tmp_path, "paper-small", seeds=range(1))
    study = STUDIES["paper-small"]
    arms = {name.replace("kmeans", "k-means"): arm for name, arm in study.arms.items()}
    renamed = dataclasses.replace(study, arms=arms)
    monkeypatch.setitem(STUDIES, "paper-small", renamed)
    assert read_runs("paper-small", folder=folder.parent).has("cifar10", KMEANS)
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
