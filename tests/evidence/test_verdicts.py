"""Verdicts follow the data: each claim on results that bear it out, refute it, or are too few."""

import dataclasses
import json
import math

import numpy as np
import pytest

from patchinit.evidence.claims.accuracy import compare
from patchinit.evidence.claims.change import trend, turn_ratio
from patchinit.evidence.claims.findings import findings
from patchinit.evidence.claims.rules import NO, OPEN, YES, all_of
from patchinit.evidence.claims.speed import speed
from patchinit.evidence.results import NoResults, best_runs, find_results, read_runs
from patchinit.experiments.files import StorageError
from patchinit.experiments.record import RunRefused
from patchinit.experiments.studies import STUDIES
from tests.synthetic import N_TEST, write_study

DATA = ("principal_components", "kmeans")


def as_the_paper_has_it(dataset, arm):
    """Final accuracies, in percent."""
    order = {"principal_components": 1.0, "glorot_uniform": 0.0, "kmeans": -0.6}
    return 80 + order.get(arm, -1.2)


def reversed_order(dataset, arm):
    return 160 - as_the_paper_has_it(dataset, arm)


def far_from_random(dataset, arm, index):
    """Glorot's filters turn five times as far at any norm, and each later filter further."""
    return (0.1 if "glorot" in arm or "random" in arm else 0.02) * (1 + index)


def by_the_norm(dataset, arm, index):
    """How far a filter turns is a matter of its norm alone; neither does the order matter."""
    short = arm == "glorot_uniform" or arm.endswith("at Glorot's norm")
    ripple = 1 + 0.1 * np.cos(20 * index)
    return (0.1 if short else 0.02) * ripple


def read(root, *studies):
    return {study: best_runs(study, root / "results") for study in studies}


@pytest.fixture(scope="module")
def bearing_out(tmp_path_factory):
    """All claims of the paper hold."""
    root = tmp_path_factory.mktemp("yes")
    from_data = [name + norm for name in DATA for norm in ("", " at Glorot's norm")]
    write_study(
        root, "paper", accuracy=as_the_paper_has_it, distance=far_from_random, seeds=range(5),
        slowness=lambda dataset, arm: 3 if arm == "principal_components" else 5,
        rough=lambda dataset, arm: 0.2 if arm in from_data else 1.0,
    )  # fmt: skip
    write_study(
        root,
        "norms",
        distance=far_from_random,
        keep=lambda settings, arm: settings.optimizer == "adam",
    )
    write_study(root, "frozen", accuracy=as_the_paper_has_it)
    every = {"principal_components, every layer": 82.0}
    write_study(root, "layers", accuracy=lambda dataset, arm: every.get(arm, 80.0))
    write_study(root, "labels", accuracy=lambda dataset, arm: 70.0 if "principal" in arm else 65.0)
    return findings(**read(root, "paper", "norms", "frozen", "layers", "labels"))


@pytest.fixture(scope="module")
def refuting(tmp_path_factory):
    """The opposite of every claim."""
    root = tmp_path_factory.mktemp("no")
    write_study(
        root, "paper", accuracy=reversed_order, distance=by_the_norm, seeds=range(5),
        slowness=lambda dataset, arm: 8 if arm == "principal_components" else 5,
        rough=lambda dataset, arm: 1.0 if arm in DATA else 0.2,
    )  # fmt: skip
    write_study(
        root, "norms", distance=by_the_norm, keep=lambda settings, arm: settings.optimizer == "adam"
    )
    write_study(root, "frozen", accuracy=reversed_order)
    first = {"principal_components, first layer": 82.0}
    write_study(root, "layers", accuracy=lambda dataset, arm: first.get(arm, 80.0))
    write_study(root, "labels", accuracy=lambda dataset, arm: 65.0 if "principal" in arm else 70.0)
    return findings(**read(root, "paper", "norms", "frozen", "layers", "labels"))


CLAIMS = [*range(1, 12), 20, 24, 25, 26]


@pytest.mark.parametrize("claim", CLAIMS)
def test_verdicts_turn_with_the_data(bearing_out, refuting, claim):
    assert (bearing_out[claim].verdict, refuting[claim].verdict) == (YES, NO)
    assert bearing_out[claim].needed == refuting[claim].needed == "decided"
    assert bearing_out[claim].evidence != refuting[claim].evidence


def test_sentences_carry_the_signs(bearing_out, refuting):
    assert "principal components minus Glorot on CIFAR-10: +0.9" in bearing_out[1].evidence
    assert "principal components minus Glorot on CIFAR-10: −1." in refuting[1].evidence
    assert (
        "(paper +0.09)" in bearing_out[1].evidence
        and "(paper not reported)" in bearing_out[4].evidence
    )


def test_reduced_runs_give_no_verdict_but_are_read(tmp_path):
    for study in ("paper-small", "norms-small", "frozen-small"):
        write_study(tmp_path, study, accuracy=as_the_paper_has_it, distance=far_from_random)
    found = findings(**read(tmp_path, "paper", "norms", "frozen", "layers", "labels"))
    assert list(found) == CLAIMS
    assert {finding.verdict for finding in found.values()} == {OPEN}
    assert {found[claim].reading for claim in (1, 2, 3, 4, 5, 7, 8, 9, 10)} == {YES}
    assert all("patchinit run" in finding.needed for finding in found.values())


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
        assert finding.verdict == finding.reading == OPEN and finding.evidence == "no runs yet"


def test_one_seed_decides_nothing(tmp_path):
    write_study(
        tmp_path, "paper", accuracy=as_the_paper_has_it, distance=far_from_random, seeds=range(1)
    )
    found = findings(best_runs("paper", tmp_path / "results"))
    assert {finding.verdict for finding in found.values()} == {OPEN}
    assert "no interval from 1 run" in found[1].evidence


def test_noise_leaves_claims_undecided_and_says_how_many_seeds(tmp_path):
    write_study(tmp_path, "paper", noise=0.6)
    found = findings(best_runs("paper", tmp_path / "results"))
    assert found[1].verdict == found[2].verdict == OPEN
    assert found[1].needed.startswith("about ") and found[1].needed.endswith("seeds an arm")


def test_differences_too_small_to_matter_refute(tmp_path):
    write_study(tmp_path, "paper", noise=0.01, seeds=range(6))
    found = findings(best_runs("paper", tmp_path / "results"))
    assert found[1].verdict == found[3].verdict == NO and "within ±0.2 pp" in found[1].evidence


def test_one_data_set_does_not_decide_a_claim_on_both(tmp_path):
    write_study(
        tmp_path, "paper", accuracy=as_the_paper_has_it, distance=far_from_random, seeds=range(5),
        keep=lambda settings, arm: settings.dataset == "cifar10",
    )  # fmt: skip
    found = findings(best_runs("paper", tmp_path / "results"))
    assert found[1].verdict == YES and found[2].evidence == "no runs yet"
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
    assert {(c.dataset, c.arm): c.paper for c in table}[
        "cifar10", "principal_components"
    ] == pytest.approx(0.09)


def test_ratio_of_turns_is_what_was_put_in(runs):
    ratio = turn_ratio(
        runs, "cifar10", [("glorot_uniform", "principal_components"), ("glorot_uniform", "kmeans")]
    )
    assert ratio.estimate == pytest.approx(5, rel=0.05) and ratio.low < 5 < ratio.high
    assert turn_ratio(runs, "cifar10", [("glorot_uniform", "no such arm")]) is None


def test_trend_and_speed_are_what_was_put_in(runs):
    arm = runs.arms["cifar10", "principal_components"]
    assert trend(arm).estimate > 0.99 and trend(arm, with_last=False).n == 3
    fast = speed(runs, "cifar10", "principal_components")
    assert fast.horizon == 15 and fast.area.n == 3 and set(fast.epochs) == {0.8, 0.9, 0.95}


def test_arrays_of_an_arm(runs):
    arm = runs.arms["fashion_mnist", "kmeans"]
    assert (arm.seeds, arm.accuracy.shape, arm.distances.shape) == ([0, 1, 2], (3, 15), (3, 16, 9))
    assert arm.final == pytest.approx(79.4, abs=2)
    np.testing.assert_allclose(arm.final_distances, arm.distances[:, -1], rtol=0.08)
    # 40 steps an epoch, twelve epochs at 1e-3 and three at 1e-4.
    assert arm.squared_rates[-1] == pytest.approx(40 * (12 * 1e-6 + 3 * 1e-8))
    assert arm.noise(1.0)[-1] == pytest.approx(1 - (1 + 9 * arm.squared_rates[-1]) ** -0.5)
    assert math.isclose(arm.norms[:, 0].mean(), 1, rel_tol=1e-3)


def test_description_says_what_the_runs_are(runs):
    text = runs.describe()
    assert text.startswith(
        "Reduced runs (paper-small): 30 of 30 runs, 3 seeds, 15 epochs of 5,000 training images"
    )
    assert "a machine that is not" in text


def test_diverged_runs_are_counted_and_left_out(tmp_path):
    from patchinit.experiments.collect import collect
    from patchinit.experiments.plan import plan
    from patchinit.experiments.record import pack_result, read_result

    folder = write_study(tmp_path, "paper-small", seeds=range(2))
    run = plan(STUDIES["paper-small"])[0]
    broken = tmp_path / "synthetic-paper-small" / run.place / "result.npz"
    result = read_result(broken)
    broken.write_bytes(
        pack_result(dataclasses.replace(result, diverged=True, epochs=result.epochs[:3]))
    )
    (
        folder / "runs" / f"{run.name}.npz"
    ).unlink()  # a record that differs from a collected one is refused
    (folder / "manifest.json").unlink()
    collect(STUDIES["paper-small"], broken.parents[2], folder.parent, "collect")
    runs = read_runs("paper-small", folder=folder.parent)
    assert runs.n_diverged == 1 and runs.arms["cifar10", "glorot_uniform"].seeds == [1]
    assert "1 diverged and are left out" in runs.describe()


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
    assert best_runs("paper", results).reduced
    write_study(tmp_path, "paper", seeds=range(1))
    assert best_runs("paper", results).studies == ("paper",)
    write_study(tmp_path, "norms-small", seeds=range(1))
    assert best_runs("norms", results).studies == ("paper-small", "norms-small")
    assert best_runs("layers", results) is None


def test_arms_are_paired_by_seed(tmp_path):
    write_study(
        tmp_path,
        "paper-small",
        keep=lambda settings, arm: not (arm == "kmeans" and settings.seed == 1),
    )
    runs = read_runs("paper-small", folder=tmp_path / "results")
    kmeans, base = runs.paired("cifar10", "kmeans", "glorot_uniform")
    assert kmeans.seeds == base.seeds == [0, 2]
    assert not runs.has("cifar10", "kmeans", "no such arm")
    with pytest.raises(KeyError, match="no seed in common"):
        runs.paired("cifar10", "kmeans", "no such arm")


def test_pairs_made_under_unlike_conditions_are_refused(tmp_path):
    """One seed's k-means arm was made on a GPU, and all of another arm by other code."""

    def about(settings, arm):
        if arm == "kmeans" and settings.seed == 1:
            return {"device": "cuda"}
        other = {"commit": None, "dirty": None, "digest": "1" * 16}
        return {"code": other} if arm == "random_patches" else {}

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


def test_precision_is_compared_on_purpose_alone(tmp_path):
    folder = write_study(tmp_path, "precision", seeds=range(2))
    runs = read_runs("precision", folder=folder.parent)
    names = ("glorot_uniform, bf16", "glorot_uniform, fp32")
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
    assert ("cifar10", "k-means") in read_runs("paper-small", folder=folder.parent).arms
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
