"""Studies as they were registered, and the plans that they amount to."""

import dataclasses

import pytest
import torch

from companion.runs.cost import forward_flops
from companion.runs.plan import part_of_plan, plan
from companion.runs.prepare import prepare
from companion.runs.settings import Settings
from companion.runs.studies import STUDIES
from tests.runs.tiny import TINY


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


def test_late_seeds_cost_no_more_than_early_ones():
    """The plan does not walk through all the seeds before them."""
    first = 5 * 10**9
    runs = plan(TINY, range(first, first + 2))
    assert [run.settings.seed - first for run in runs] == 4 * [0] + 4 * [1]
    assert [run.arm for run in runs] == [run.arm for run in plan(TINY)]


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


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_a_part_has_all_arms_of_a_seed(study, of):
    """Else arm and machine would be one: five arms dealt out to five machines."""
    runs = plan(study)
    parts = [part_of_plan(runs, number, of) for number in range(1, of + 1)]
    assert sorted(run.name for part in parts for run in part) == sorted(run.name for run in runs)
    blocks = [{(run.settings.dataset, run.settings.seed) for run in part} for part in parts]
    assert sum(map(len, blocks)) == len(set.union(*blocks))
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    for part in parts:
        assert part == [run for run in runs if run in part]  # in the order of the plan
