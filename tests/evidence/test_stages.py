"""Stages: which runs count, and which stages can be shown."""

from dataclasses import replace

import pytest

from companion.claims import CLAIMS
from companion.evidence.arms import ArmKey
from companion.evidence.comparisons import COMPONENTS, COSINE, GLOROT, KMEANS
from companion.evidence.results import NoResults, read_runs
from companion.evidence.stages import Stage, read_stages, stage_at, stage_by_letter, stages_to_show
from companion.runs.studies import STUDIES
from tests.synthetic import write_study


def main_pair(settings):
    """Components and Glorot as they are."""
    as_they_are = (settings.norm, settings.frozen) == ("own", False)
    return as_they_are and settings.method in ("glorot_uniform", "principal_components")


def on_cifar10(settings):
    return settings.dataset == "cifar10"


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Stage B on CIFAR-10, of two arms; what else it has stays away."""
    root = tmp_path_factory.mktemp("grid")
    write_study(
        root, "grid", seeds=range(8),
        keep=lambda s: on_cifar10(s) and s.method in ("glorot_uniform", "cosine_basis"),
    )  # fmt: skip
    return stage_by_letter("B", {"grid": read_runs("grid", folder=root / "results")}, "cifar10")


def test_only_registered_seeds_are_compared(grid):
    assert grid.registered(GLOROT, COSINE) == 4 and grid.n(GLOROT, COSINE) == 4
    assert [arm.seeds for arm in grid.paired(GLOROT, COSINE)] == [[0, 1, 2, 3]] * 2
    assert grid.n(GLOROT) == 6
    assert grid.paired(GLOROT, COSINE, below=2)[1].seeds == [0, 1]
    # Glorot has 6 seeds, cosine waves 4: ten runs, two arms, six seeds.
    two = replace(grid, spread_arms=frozenset({GLOROT, COSINE}))
    assert two.residual(lambda arm: arm.final).freedom == 3
    assert grid.residual(lambda arm: arm.final, below=3).freedom > 0
    assert grid.residual(lambda arm: arm.final, below=1) is None


def test_seeds_under_a_condition_serve_claim_2_alone(tmp_path):
    """Stage A, seeds 6 and 7: made for the third look, and no other comparison takes them."""
    write_study(tmp_path, "anchor", seeds=range(8), keep=main_pair)
    runs = {"anchor": read_runs("anchor", folder=tmp_path / "results")}
    on = stage_by_letter("A", runs, "fashion_mnist")
    assert on.arm(GLOROT).seeds == list(range(8)) and on.n(GLOROT, COMPONENTS) == 6
    assert on.paired(GLOROT, COMPONENTS, below=8)[0].seeds == list(range(8))


def test_what_is_not_in_has_no_pairs(grid):
    assert grid.registered(COMPONENTS) == 6 and grid.n(COMPONENTS) == 0
    assert grid.arm(COMPONENTS) is grid.paired(COMPONENTS, GLOROT) is None
    nothing = stage_by_letter("B", {}, "cifar10")
    assert nothing.arms == () and nothing.n(GLOROT) == 0 and nothing.arm(GLOROT) is None
    assert nothing.residual(lambda arm: arm.final) is None
    other = stage_by_letter("B", {"grid": grid.runs}, "fashion_mnist")
    assert other.arms == () and other.n(GLOROT) == 0


def test_a_study_that_is_no_stage_takes_all_its_seeds(tmp_path):
    """It has registered nothing, so no seed is one too many."""
    write_study(tmp_path, "paper-small", seeds=range(5))
    on = Stage(read_runs("paper-small", folder=tmp_path / "results"), STUDIES["paper-small"],
               "fashion_mnist")  # fmt: skip
    assert (on.letter, on.label) == ("", "Fashion-MNIST, 15 epochs")
    assert {arm.dataset for arm in on.arms} == {"fashion_mnist"} and len(on.arms) == 5
    assert on.n(GLOROT, KMEANS) == 5 and on.n(GLOROT, KMEANS) > on.registered(GLOROT, KMEANS) == 3
    assert on.residual(lambda arm: arm.final).freedom == 4 * 4
    assert on.registered(ArmKey("kmedoids")) == 0 and on.paired(ArmKey("kmedoids")) is None


def test_which_runs_tell_of_the_spread(tmp_path):
    """As registered for claims 31, 33 and 34."""
    for study in ("grid", "confirm", "six-seeds", "width"):
        write_study(tmp_path, study, keep=on_cifar10)
    runs = read_stages(tmp_path / "results")

    def freedom(claim):
        on = stage_at(CLAIMS[claim].decisions[0].places[0], runs)
        return on, on.residual(lambda arm: arm.final).freedom

    on, nu = freedom(31)  # stage B and F1, 11 arms and 10 seeds
    assert (on.letter, nu) == ("F1", 46 + 16 - 11 - 10 + 1) and on.n(COSINE, GLOROT) == 4
    on, nu = freedom(33)  # F2 too; pairs of the seeds 4 to 9 alone
    assert (on.letter, nu) == ("B+F2+F1", 46 + 16 + 20 - 11 - 10 + 1)
    assert [arm.seeds for arm in on.paired(COMPONENTS, COSINE)] == [[4, 5, 6, 7, 8, 9]] * 2
    on, nu = freedom(34)  # three widths of three arms and four seeds, each a fit of its own
    assert (on.widths, nu) == ("10\u00d78 to 10\u00d732", 3 * (3 - 1) * (4 - 1))


# --- What can be shown ---------------------------------------------------------------------------


def shown(root):
    folder = root / "results"
    stages = stages_to_show(read_stages(folder), folder)
    return [(on.study.name, on.dataset, on.n(COMPONENTS, GLOROT)) for on in stages]


@pytest.mark.parametrize(
    ("n", "wanted"),
    [
        (0, [("paper-small", 2)]),
        (1, [("grid", 1), ("paper-small", 2)]),
        (3, [("grid", 3)]),
    ],
)
def test_exploratory_runs_stand_behind_until_a_stage_has_three_pairs(tmp_path, n, wanted):
    write_study(tmp_path, "paper-small", seeds=range(2), keep=main_pair_of_reduced)
    if n:
        write_study(tmp_path, "grid", seeds=range(n), keep=lambda s: on_cifar10(s) and main_pair(s))
    else:  # without Glorot there is nothing to compare
        write_study(tmp_path, "grid", seeds=range(3), keep=lambda s: s.method == "kmeans")
    assert shown(tmp_path) == [
        *((name, "cifar10", pairs) for name, pairs in wanted), ("paper-small", "fashion_mnist", 2),
    ]  # fmt: skip


def main_pair_of_reduced(settings):
    return settings.method in ("glorot_uniform", "principal_components")


def test_the_longest_runs_come_first_on_each_data_set(tmp_path):
    for study in ("anchor", "grid", "anchor-cifar10"):
        write_study(tmp_path, study, seeds=range(3), keep=main_pair)
    write_study(tmp_path, "paper", seeds=range(1), keep=main_pair_of_reduced)
    assert shown(tmp_path) == [
        ("anchor-cifar10", "cifar10", 3), ("grid", "cifar10", 3),
        ("anchor", "fashion_mnist", 3), ("grid", "fashion_mnist", 3),
    ]  # fmt: skip


def test_full_exploratory_runs_stand_before_reduced_ones(tmp_path):
    for study in ("paper", "paper-small"):
        write_study(tmp_path, study, seeds=range(1), keep=main_pair_of_reduced)
    assert [name for name, *_ in shown(tmp_path)] == ["paper", "paper"]


def test_pairs_of_unlike_conditions_show_nothing(tmp_path):
    write_study(
        tmp_path, "grid", seeds=range(1), keep=main_pair,
        about=lambda s: {"device": "cuda"} if s.method == "glorot_uniform" else {},
    )  # fmt: skip
    with pytest.raises(NoResults, match="no runs of components and Glorot that can be compared"):
        shown(tmp_path)
