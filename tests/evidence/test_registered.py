"""The registered verdicts on worlds that bear a claim out, refute it, or are not finished."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from companion.claims import (
    CLAIMS,
    CONTRADICTED,
    MIXED,
    NO_DIFFERENCE,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
)
from companion.evidence.arms import ArmKey
from companion.evidence.comparisons import (
    COMPONENTS,
    GLOROT,
    KMEANS,
    RANDOM,
    accuracy,
    epochs_saved,
    gradient_at_the_end,
    order,
    rank_of_last,
    ratio,
    speed,
    turned_by_noise,
)
from companion.evidence.judge import (
    DECLARED,
    INTERIM,
    NO_RUNS,
    Verdict,
    overall,
    unlike_data_sets,
    verdicts,
)
from companion.evidence.results import read_runs
from companion.evidence.stages import Stage, read_stages, stage_at, stage_by_letter
from companion.runs import studies
from tests.synthetic import write_study

PAPERS = ("anchor", "grid", "anchor-cifar10", "every-layer", "few-labels", "confirm", "six-seeds")
OURS = ("grid", "confirm", "six-seeds", "unspoiled", "width")


def true_accuracy(dataset, of):
    """The paper is right, and what lies beyond it as its authors would hope."""
    base = {
        "principal_components": 2.0, "kmeans": -1.0, "random_patches": -3.0,
        "random_orthonormal": -1.5, "cosine_basis": -1.5,
    }.get(of.method, 0.0)  # fmt: skip
    settings = of.settings
    if settings.get("frozen"):
        base += 0.0 if of.method == "principal_components" else -4.0
    if settings.get("layers") == "all":
        base += 2.0
    return 80.0 + base


def false_accuracy(dataset, of):
    return 160.0 - true_accuracy(dataset, of)


def true_distance(dataset, of, index):
    """Glorot's filters turn furthest, and components the further the later they come."""
    size = {"glorot_uniform": 0.6, "principal_components": 0.05, "kmeans": 0.06}
    amount = size.get(of.method, 0.3)
    return amount * (0.5 + index) if of.method == "principal_components" else amount + 0 * index


def false_distance(dataset, of, index):
    size = {"glorot_uniform": 0.1, "principal_components": 0.3, "kmeans": 0.3}
    amount = size.get(of.method, 0.1)
    return amount * (1.5 - index) if of.method == "principal_components" else amount + 0 * index


def true_slowness(dataset, of):
    return 4.0 if of.method == "principal_components" else 12.0


def false_slowness(dataset, of):
    return 16.0 - true_slowness(dataset, of)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """All stages, finished, in a world where the claims hold and in one where they do not."""
    found = {}
    for name, ways in (
        ("true", (true_accuracy, true_distance, true_slowness)),
        ("false", (false_accuracy, false_distance, false_slowness)),
    ):
        root = tmp_path_factory.mktemp(name)
        for study in PAPERS:
            write_study(root, study, accuracy=ways[0], distance=ways[1], slowness=ways[2])
        found[name] = read_stages(root / "results")
    return found


def by_place(found):
    return {(verdict.claim, verdict.stage, verdict.dataset): verdict for verdict in found}


@pytest.fixture(scope="module")
def judged(worlds):
    """The verdicts of both, by claim, stage and data set."""
    return {name: by_place(verdicts(runs)) for name, runs in worlds.items()}


PLACES = [
    (f"{claim.number}{decision.half}", stage_at(place, {}).letter, place.dataset)
    for claim in CLAIMS.values()
    for decision in claim.decisions
    for place in decision.places
    if claim.of_the_paper and not claim.declared and not place.second
]
UNDECIDABLE = {str(claim.number) for claim in CLAIMS.values() if claim.declared}


@pytest.mark.parametrize(("claim", "letter", "dataset"), PLACES)
def test_every_claim_can_be_borne_out(judged, claim, letter, dataset):
    verdict = judged["true"][claim, letter, dataset]
    assert verdict.outcome == SUPPORTED and verdict.n >= verdict.n_registered >= 3


@pytest.mark.parametrize(("claim", "letter", "dataset"), PLACES)
def test_every_claim_can_be_refuted(judged, claim, letter, dataset):
    verdict = judged["false"][claim, letter, dataset]
    assert verdict.outcome in (CONTRADICTED, NOT_SUPPORTED)


@pytest.mark.parametrize("world", ["true", "false"])
def test_some_claims_were_declared_undecidable(judged, world):
    """Whatever the runs show: the reading stands beside, and how many pairs would decide."""
    for verdict in judged[world].values():
        if verdict.claim in UNDECIDABLE:
            assert (verdict.outcome, verdict.state) == (UNDECIDED, DECLARED)
            for reading in verdict.readings:
                assert reading.outcome in (SUPPORTED, CONTRADICTED)
                least, most = reading.needed[1:]
                assert least <= reading.needed[0] <= most


def test_two_data_sets_are_joined_at_one_length(judged):
    found = judged["true"]
    assert found["6", "AD", "both"].outcome == SUPPORTED
    assert found["20", "B", "both"].outcome == SUPPORTED
    assert len(found["20", "B", "both"].readings) == 4
    assert {stages for _, stages, dataset in found if dataset == "both"} == {"AD", "B", "E1+B"}


def test_one_data_set_against_a_claim_is_enough(tmp_path):
    def mixed(dataset, of):
        return (true_accuracy if dataset == "cifar10" else false_accuracy)(dataset, of)

    write_study(tmp_path, "grid", accuracy=mixed)
    found = by_place(verdicts({"grid": read_runs("grid", folder=tmp_path / "results")}))
    assert found["20", "B", "cifar10"].outcome == SUPPORTED
    assert found["20", "B", "both"].outcome == CONTRADICTED
    # One word for the claim: that of both together is none of the places that it holds for.
    of_claim = [verdict for (claim, *_), verdict in found.items() if claim == "20"]
    assert overall(of_claim) == MIXED
    assert overall([v for v in of_claim if v.dataset != "fashion_mnist"]) == SUPPORTED


def test_no_practical_difference(tmp_path):
    write_study(tmp_path, "grid", noise=0.01)
    found = by_place(verdicts({"grid": read_runs("grid", folder=tmp_path / "results")}))
    assert found["4", "B", "cifar10"].outcome == NO_DIFFERENCE
    assert found["20", "B", "both"].outcome == NO_DIFFERENCE
    # No gain from freezing, and no loss: the first half of claim 9 fails, the second holds.
    assert found["9", "B", "cifar10"].outcome == NOT_SUPPORTED


def test_nothing_is_said_without_runs():
    found = verdicts({})
    assert overall(found) == UNDECIDED and all(v.outcome == UNDECIDED for v in found)
    assert {v.state for v in found} == {NO_RUNS, DECLARED}
    assert not unlike_data_sets({})


def test_the_word_for_a_claim():
    """What all decided places share; those that are open, or decided to be, do not count."""

    def word(*outcomes, state="decided"):
        places = [Verdict("7a", "cifar10", "B", 30, outcome, state) for outcome in outcomes]
        return overall(places)

    assert word(SUPPORTED, SUPPORTED) == word(SUPPORTED, UNDECIDED) == SUPPORTED
    assert word(SUPPORTED, CONTRADICTED) == word(NOT_SUPPORTED, NO_DIFFERENCE) == MIXED
    assert word(UNDECIDED) == word(SUPPORTED, state=INTERIM) == UNDECIDED
    together = Verdict("7a", "both", "B", 30, CONTRADICTED, "decided")
    alone = Verdict("7a", "cifar10", "B", 30, SUPPORTED, "decided")
    assert overall([alone, together]) == SUPPORTED and overall([together]) == UNDECIDED
    # Of two halves both share the word, or it is mixed: an open half is not hidden by the other.
    open_half = Verdict("7b", "cifar10", "B", 30, UNDECIDED, "decided")
    assert overall([alone, open_half]) == MIXED
    assert overall([alone, Verdict("7b", "cifar10", "B", 30, SUPPORTED, "decided")]) == SUPPORTED


@pytest.mark.parametrize("n", [1, 2, 4])
def test_an_unfinished_stage_is_interim(tmp_path, n):
    write_study(tmp_path, "grid", accuracy=true_accuracy, seeds=range(n))
    found = by_place(verdicts({"grid": read_runs("grid", folder=tmp_path / "results")}))
    verdict = found["4", "B", "cifar10"]
    assert (verdict.outcome, verdict.state, verdict.n_registered) == (UNDECIDED, INTERIM, 5)
    assert verdict.n == n
    interval = verdict.readings[0].interval
    assert interval.estimate == pytest.approx(-3, abs=1.5) and interval.shown == (n > 2)
    # Four pairs are all that claim 20 has.
    assert (found["20", "B", "cifar10"].outcome == SUPPORTED) == (n == 4)


# --- The second registration ---------------------------------------------------------------------


def tidy(dataset, key):
    """Claims 31 to 35 hold: tidy bases lead, the less the wider the network."""
    lead = {"principal_components": 1.0, "cosine_basis": 1.5}.get(key.method, 0.0)
    width = key.settings.get("widths", (16,))[0]
    return 80.0 + lead * (1 - np.log2(width / 16) / 2)


def untidy(dataset, key):
    """None of them does, and components lead by more in wider networks."""
    lead = {"principal_components": -1.0, "cosine_basis": -2.0}.get(key.method, 0.0)
    width = key.settings.get("widths", (16,))[0]
    return 80.0 + lead * (1 - np.log2(width / 16) / 2)


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """The runs of the second registration in both worlds."""
    found = {}
    for world in (tidy, untidy):
        root = tmp_path_factory.mktemp(world.__name__)
        for study in OURS:
            write_study(root, study, accuracy=world, noise=0.1)
        found[world] = read_stages(root / "results")
    return found


@pytest.mark.parametrize("number", [31, 32, 33, 34, 35])
def test_the_books_own_claims_can_be_borne_out_and_refuted(second, number):
    outcomes = []
    for runs in second.values():
        (verdict,) = (v for v in verdicts(runs) if v.claim == str(number))
        assert verdict.state == "decided" and verdict.n == verdict.n_registered >= 4
        outcomes.append(verdict.outcome)
    assert outcomes == [SUPPORTED, CONTRADICTED]


def test_the_slope_of_the_lead_is_half_of_its_ends(second):
    """By least squares over log2 of 8, 16 and 32, whatever the lead at 16."""
    (reading,) = next(v for v in verdicts(second[tidy]) if v.claim == "34").readings
    runs = second[tidy]["width"]

    def lead(width):
        arms = (
            runs.find("cifar10", ArmKey(method, widths=(width,) * 10)).final
            for method in ("principal_components", "glorot_uniform")
        )
        ours, base = arms
        return (ours - base).mean()

    for middle in (-3.0, 0.0, 3.0):
        slope = np.polyfit([3, 4, 5], [lead(8), middle, lead(32)], 1)[0]
        assert reading.estimate.value == pytest.approx(slope)


def test_a_look_waits_for_all_its_studies(second):
    runs = second[tidy]
    for missing, waiting in (("confirm", "31 32 33"), ("six-seeds", "33"), ("width", "34 35")):
        found = verdicts({**runs, missing: None})
        states = {v.claim: v.state for v in found if int(v.claim.rstrip("ab")) > 30}
        assert {claim for claim, state in states.items() if state != "decided"} == set(
            waiting.split()
        )


def lead_that_four_pairs_leave_open(dataset, key):
    return 80.0 + 0.65 * (key.method == "principal_components")


def test_a_second_look_is_made_where_the_first_left_it_open(tmp_path):
    for study in ("grid", "confirm", "six-seeds"):
        write_study(
            tmp_path, study, accuracy=lead_that_four_pairs_leave_open, noise=0.42,
            keep=lambda s: s.dataset == "cifar10",
        )  # fmt: skip
    runs = read_stages(tmp_path / "results")
    first, *looks = (v for v in verdicts(runs) if v.claim == "20" and v.dataset == "cifar10")
    assert (first.state, first.outcome, first.n) == ("decided", UNDECIDED, 4)
    (look,) = looks
    assert (look.stage, look.n, look.second, look.state) == ("B+F2", 6, True, "decided")
    assert {reading.level for reading in look.readings} == {0.975}
    assert look.outcome == SUPPORTED == overall([first, look])
    # Until both studies are complete it is none, and where the first look decided there is none.
    early = [v for v in verdicts({**runs, "confirm": None}) if v.claim == "20" and v.second]
    assert [v.state for v in early] == [INTERIM]


def test_what_the_first_look_decided_is_not_looked_at_again(judged):
    assert not [v for found in judged.values() for v in found.values() if v.second]


# --- Two measures of change ----------------------------------------------------------------------


def test_the_response_distance_is_read_beside_and_decides_nothing(worlds, judged):
    """Of patches alike in all directions it is the cosine distance, and reads the same."""
    found = by_place(verdicts(worlds["true"], {"fashion_mnist": torch.eye(9)}))
    for claim in ("7a", "7b", "8"):
        verdict = found[claim, "B", "fashion_mnist"]
        ours, theirs = (
            [reading.estimate.value for reading in of]
            for of in (verdict.readings, verdict.by_response)
        )
        assert theirs == pytest.approx(ours, rel=1e-4) and not verdict.disagree
        assert not found[claim, "B", "cifar10"].by_response  # its covariance was not given
    assert not found["8", "B", "both"].by_response
    assert not found["10", "B", "fashion_mnist"].by_response
    assert not judged["true"]["7a", "B", "fashion_mnist"].by_response


def test_measures_that_disagree_are_said_to(worlds):
    """Of patches that vary in nearly one weight alone, the rest of a filter may turn unseen."""
    flat = torch.zeros(9, 9)
    flat[4, 4] = 1.0
    covariances = {"fashion_mnist": flat + 1e-3 * torch.eye(9), "cifar10": torch.eye(27)}
    found = by_place(verdicts(worlds["true"], covariances))
    verdict = found["8", "B", "fashion_mnist"]
    outcomes = {reading.outcome for reading in verdict.by_response}
    assert verdict.outcome == SUPPORTED and outcomes != {SUPPORTED}
    assert verdict.disagree
    together, other = (found["8", "B", dataset] for dataset in ("both", "cifar10"))
    assert together.by_response == verdict.by_response + other.by_response
    assert together.disagree and not other.disagree
    open_still = replace(verdict, state=INTERIM)
    assert not open_still.disagree  # between looks nothing is read


# --- Claim 2 -------------------------------------------------------------------------------------


def claim_2(tmp_path, n, gain, noise=0.05, keep=lambda settings: True):
    def lead(dataset, of):
        return 80.0 + gain * (of == COMPONENTS)

    write_study(tmp_path, "anchor", accuracy=lead, seeds=range(n), noise=noise, keep=keep)
    runs = {"anchor": read_runs("anchor", folder=tmp_path / "results")}
    (verdict,) = (v for v in verdicts(runs) if v.claim == "2")
    return verdict


def test_between_looks_the_last_look_counts(tmp_path):
    """Five pairs: the look at four is all that there is."""
    verdict = claim_2(tmp_path, 5, gain=2.0)
    (reading,) = verdict.readings
    assert (verdict.outcome, verdict.state) == (SUPPORTED, "decided")
    assert reading.estimate.n == 4 and reading.level == 0.978


def test_an_open_look_is_interim(tmp_path):
    verdict = claim_2(tmp_path, 5, gain=0.1, noise=1.5)
    assert (verdict.outcome, verdict.state) == (UNDECIDED, INTERIM)


def test_fewer_than_four_pairs_are_no_look(tmp_path):
    verdict = claim_2(tmp_path, 3, gain=2.0)
    assert (verdict.outcome, verdict.state) == (UNDECIDED, INTERIM)
    assert verdict.readings[0].level == 0.95


def test_the_third_look_is_the_last(tmp_path):
    verdict = claim_2(tmp_path, 8, gain=0.1, noise=1.5)
    assert verdict.state == "decided" and verdict.readings[0].estimate.n == 8


def test_the_size_is_read_beside_the_direction(tmp_path):
    """The paper's 0.78 pp is compatible with 0.8 and not with 4."""
    assert claim_2(tmp_path / "a", 4, gain=0.8).readings[0].compatible
    assert claim_2(tmp_path / "b", 4, gain=4.0).readings[0].compatible is False


# --- What is measured ----------------------------------------------------------------------------


def test_accuracy_by_hand(worlds):
    on = stage_by_letter("B", worlds["true"], "cifar10")
    found = accuracy(on, {COMPONENTS: 1, ArmKey("random_patches"): -1})
    arms = on.runs.paired("cifar10", COMPONENTS, ArmKey("random_patches"))
    assert found.estimate.n == 5  # random patches have five seeds
    assert found.estimate.value == pytest.approx((arms[0].final - arms[1].final).mean())
    # 6 + 6 + 6 + 5 + 4 + 4 + 5 x 3 runs, 11 arms, 6 seeds
    assert found.residual.freedom == 46 - 11 - 6 + 1


def test_twins_in_another_precision_are_no_part_of_the_residual(tmp_path):
    write_study(tmp_path, "precision", seeds=range(3))
    runs = read_runs("precision", folder=tmp_path / "results")
    on = Stage(runs, studies.STUDIES["precision"], "cifar10")
    assert len(on.arms) == 4 and any("precision" in arm.key.settings for arm in on.arms)
    # Two arms in fp32, with three seeds each.
    assert on.residual(lambda arm: arm.final).freedom == 6 - 2 - 3 + 1


def test_ratios_and_orders_are_what_was_put_in(worlds):
    on = stage_by_letter("A", worlds["true"], "fashion_mnist")
    for pair, wanted in (((GLOROT, KMEANS), 10), ((KMEANS, RANDOM), 0.2)):
        found = ratio(on, *pair).interval()
        assert found.estimate == pytest.approx(wanted, rel=0.05) and found.low < wanted < found.high
    assert order(on).interval().estimate > 0.99 and order(on).n == 6
    refuted = stage_by_letter("A", worlds["false"], "fashion_mnist")
    assert order(refuted, with_last=False).interval().estimate < -0.99
    # The median is the mean where all filters of an arm turn alike.
    middle = ratio(on, GLOROT, KMEANS, over_filters=np.median)
    assert middle.value == pytest.approx(ratio(on, GLOROT, KMEANS).value, abs=1e-4)


def test_speed_is_the_area_between_the_curves(worlds):
    """Curves that rise as 1 - exp(-t / slowness), to ends 2 pp apart; of 50 epochs."""
    times = np.arange(1, 51)
    fast, slow = (
        end * (1 - np.exp(-times / tau)) / (1 - np.exp(-250 / tau))
        for end, tau in ((82.0, 4.0), (80.0, 12.0))
    )
    found = speed(stage_by_letter("A", worlds["true"], "fashion_mnist"))
    assert found.value == pytest.approx((fast - slow).mean(), abs=0.1) and found.n == 6


def with_gradients(arm, *, start, end):
    """The arm, with gradients of these norms for each filter."""
    norms = np.stack([np.broadcast_to(start, 27), np.full(27, 99.0), np.broadcast_to(end, 27)])
    results = tuple(replace(result, gradient_norms=norms) for result in arm.results)
    return replace(arm, results=results)


def test_gradient_at_the_end_over_that_at_the_start(worlds):
    """The geometric mean over the filters, from the first and the last record."""
    on = stage_by_letter("B", worlds["true"], "cifar10")
    assert gradient_at_the_end(on, GLOROT) is None  # no gradients in these records
    glorot, components = (on.runs.find("cifar10", of) for of in (GLOROT, COMPONENTS))
    spread = np.geomspace(0.5, 2.0, 27)  # of geometric mean 1
    made = with_gradients(glorot, start=0.4, end=0.1 * spread)
    runs = replace(on.runs, arms=(made, components))
    found = replace(on, runs=runs)
    assert gradient_at_the_end(found, GLOROT) == pytest.approx(0.25)
    assert gradient_at_the_end(found, COMPONENTS) is None
    assert gradient_at_the_end(stage_by_letter("B", {}, "cifar10"), GLOROT) is None


def test_epochs_saved_and_never(worlds):
    saved = epochs_saved(stage_by_letter("A", worlds["true"], "fashion_mnist"))
    assert saved.estimate.value < -5 and saved.never == 0
    lost = epochs_saved(stage_by_letter("A", worlds["false"], "fashion_mnist"), share=1.2)
    assert lost.never == 12


def test_rank_of_the_last_filter(worlds):
    assert rank_of_last(stage_by_letter("A", worlds["true"], "fashion_mnist")) == [9] * 6


def test_data_sets_that_do_not_differ(worlds):
    """Claim 11: both data sets were drawn alike, so every interval should hold no difference."""
    found = unlike_data_sets(worlds["true"])
    assert {stages for stages, *_ in found} == {"DA", "BB"}
    holds = [estimate.interval().low <= (1 if "/" in what else 0) <= estimate.interval().high
             for _, what, estimate in found]  # fmt: skip
    assert np.mean(holds) > 0.7


def test_claim_30_has_the_verdict_of_claim_6(judged):
    for found in judged.values():
        for place in (("A", "fashion_mnist"), ("D", "cifar10"), ("AD", "both")):
            assert found["30", *place].outcome == found["6", *place].outcome


def test_the_spread_of_claims_24_and_25_is_that_of_their_own_arms(worlds, judged):
    """24: all runs of stage B and of its own; 25: its six arms."""
    runs = worlds["true"]
    alone = stage_by_letter("B", runs, "cifar10").residual(lambda arm: arm.final).freedom
    (place,) = (p for p in CLAIMS[24].decisions[0].places if p.dataset == "cifar10")
    on = stage_at(place, runs)
    pooled = accuracy(on, {ArmKey("principal_components", layers="all"): 1, COMPONENTS: -1})
    assert pooled.residual.freedom == alone + 2 * (3 - 1)  # two arms of three seeds more
    found = judged["true"]
    assert found["24", "E1+B", "cifar10"].readings[0].estimate == pooled.estimate
    (reading,) = found["25", "E2", "cifar10"].readings
    table = np.stack([
        runs["few-labels"].find("cifar10", ArmKey(method, label_share=share)).final
        for share in (0.01, 0.05, 0.1) for method in ("principal_components", "glorot_uniform")
    ])  # fmt: skip
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    between = np.square(rest).sum() / 10 * 6 / 9  # six weights of a third
    assert reading.estimate.error**2 >= between / 3 * 0.999


def test_unlike_conditions_are_no_pair_for_the_null(tmp_path):
    for name, keep in (("grid", lambda s: True), ("null", lambda s: True)):
        write_study(
            tmp_path, name, seeds=range(2), keep=keep,
            about=lambda s, name=name: {"device": "cuda"} if name == "null" and s.seed else {},
        )  # fmt: skip
    runs = {name: read_runs(name, folder=tmp_path / "results") for name in ("grid", "null")}
    null, trained = (stage_by_letter(letter, runs, "cifar10") for letter in "CB")
    assert len(turned_by_noise(null, trained, COMPONENTS)) == 1


def test_an_arm_that_the_stage_has_not_is_registered_for_nothing():
    assert stage_by_letter("A", {}, "fashion_mnist").registered(ArmKey("cosine_basis"), GLOROT) == 0
    assert stage_by_letter("A", {}, "cifar10").registered(GLOROT) == 0


def test_an_unknown_stage_is_named():
    with pytest.raises(ValueError, match="letter='Z' should be one of A, B, C"):
        stage_by_letter("Z", {}, "cifar10")
