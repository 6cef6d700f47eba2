"""What is committed in results/ hangs together, and one cheap entry of it comes out again."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.evidence.comparisons import GLOROT, accuracy
from companion.evidence.results import read_runs
from companion.evidence.stages import Stage
from companion.intervals import rank_correlations
from companion.runs.plan import plan
from companion.runs.prepare import load, prepare
from companion.runs.record import read_result
from companion.runs.studies import STUDIES
from companion.runs.trainer import Trainer
from patchinit.filters.matching import match
from patchinit.patches import extract_patches, standardize_patches

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("results/*/manifest.json"))
NONE = pytest.param(
    None,
    marks=pytest.mark.skip(reason="nothing in results/ yet: python -m companion run"),
)
each = pytest.mark.parametrize(
    "folder", FOLDERS or [NONE], ids=lambda folder: getattr(folder, "name", "none")
)


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@each
def test_manifest_and_tables_agree(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } - {"lock"}
    assert present == {*manifest["files"], "manifest.json"}
    runs, epochs = rows(folder / "runs.csv"), rows(folder / "epochs.csv")
    assert len(runs) == manifest["runs_finished"] == len({row["run"] for row in runs})
    assert sorted({int(row["seed"]) for row in runs}) == manifest["seeds"]
    assert manifest["reduced"] == STUDIES[folder.name].reduced
    # And no folder of a machine. The command was `patchinit` before version 0.2.
    commands = [f"{name} collect {folder.name}" for name in ("patchinit", "python -m companion")]
    assert manifest["command"] in commands
    for row in runs:
        part = [line for line in epochs if line["run"] == row["run"]]
        assert [int(line["epoch"]) for line in part] == list(range(int(row["epochs"]) + 1))


@each
def test_tables_against_the_records(folder):
    """Accuracy from the bits and the filters' turn, computed here with numpy alone."""
    for row in rows(folder / "runs.csv"):
        record = read_result(folder / "runs" / f"{row['run']}.npz")
        assert float(row["final_accuracy"]) == pytest.approx(record.correct.mean(), abs=1e-6)
        start, end = (
            record.filters[i].reshape(len(record.filters[0]), -1).astype(float) for i in (0, -1)
        )
        cosine = (start * end).sum(1) / np.linalg.norm(start, axis=1) / np.linalg.norm(end, axis=1)
        assert float(row["median_distance"]) == pytest.approx(
            np.median(1 - cosine), rel=2e-3, abs=1e-6
        )
        assert float(row["start_norm"]) == pytest.approx(
            np.linalg.norm(start, axis=1).mean(), rel=1e-3
        )
        last = [epoch.test_accuracy for epoch in record.epochs][-10:]
        assert float(row["last_ten_accuracy"]) == pytest.approx(np.mean(last), abs=2e-6)


@each
def test_records_are_of_the_study(folder):
    planned = {run.name: run for run in plan(STUDIES[folder.name], range(100))}
    for row in rows(folder / "runs.csv"):
        assert not read_result(folder / "runs" / f"{row['run']}.npz").settings.differences(
            planned[row["run"]].settings
        )


@each
def test_start_comes_out_again(folder, real_data, monkeypatch):
    """The filters of each arm's first seed, learned anew; of clusters, what no rounding changes."""
    monkeypatch.setenv("PATCHINIT_DATA", str(real_data))
    for row in rows(folder / "runs.csv"):
        if row["seed"] == "0":
            record = read_result(folder / "runs" / f"{row['run']}.npz")
            recorded, again = (
                torch.as_tensor(w) for w in (record.filters[0], first_filters(record.settings))
            )
            if record.settings.method.startswith("kme"):
                check_clusters(recorded, again, record.settings, row["run"])
                continue
            if record.settings.method in ("principal_components", "pca_whitening"):
                # Where entries are nearly equally large, the rule for signs was another one.
                again = again * (again * recorded).sum((1, 2, 3), keepdim=True).sign()
            np.testing.assert_allclose(recorded, again, atol=1e-3, err_msg=row["run"])


def first_filters(settings):
    return prepare(settings)[0].first_layer.weight.detach()


def check_clusters(recorded, again, settings, name):
    """The records' were made in float32, where a last bit chose the optimum: now one as good."""
    np.testing.assert_allclose(
        again.flatten(1).norm(dim=1), recorded.flatten(1).norm(dim=1), rtol=1e-4
    )
    images = (
        load(settings.dataset, "train")
        .sample(settings.n_images, generator=settings.generator("filter images"))
        .images
    )
    points = standardize_patches(extract_patches(images, recorded.shape[2:])).patches.flatten(1)
    losses = []
    for bank in (recorded, again):
        directions = torch.nn.functional.normalize(bank.flatten(1), dim=1)
        # Squared distance to the nearest ray along a filter, the norm being the run's and not the
        # centroid's.
        nearest = (points @ directions.T).amax(1).clamp_min(0)
        losses.append((points.square().sum(1) - nearest.square()).double().mean().item())
    assert losses[1] == pytest.approx(losses[0], rel=0.01), name
    assert match(recorded, again)[1].median() > 0.95, name


def test_an_epoch_comes_out_again(real_data, monkeypatch):
    """The first epoch of the cheapest run on record."""
    folder = ROOT / "results/paper-small"
    if folder not in FOLDERS:
        pytest.skip(
            "results/paper-small is not there: "
            "python -m companion run paper-small, python -m companion collect paper-small"
        )
    monkeypatch.setenv("PATCHINIT_DATA", str(real_data))
    record = read_result(folder / "runs/fashion_mnist--glorot_uniform--seed-0.npz")
    model, train_set, test_set, *_ = prepare(record.settings)
    torch.set_num_threads(1)
    loss, _ = Trainer(model, train_set, test_set, record.settings).train_epoch()
    assert loss == pytest.approx(record.epochs[0].train_loss, rel=0.01)


@each
def test_differences_and_ranks_by_plain_numpy(folder):
    """Table 1, distances and rank correlations again, from the files alone.

    Nothing of the module's statistics is used.
    """
    runs = read_runs(folder.name, folder=folder.parent)
    name_of = {arm.key: STUDIES[folder.name].run_of(arm.settings).arm for arm in runs.arms}
    table = {
        (row["dataset"], row["arm"], int(row["seed"])): row for row in rows(folder / "runs.csv")
    }
    finals = {key: 100 * float(row["final_accuracy"]) for key, row in table.items()}
    for arm in runs.arms:
        on = Stage(runs, STUDIES[folder.name], arm.dataset)
        found = accuracy(on, {arm.key: 1, GLOROT: -1})
        if arm.key == GLOROT or found is None:  # frozen ones have no trained Glorot beside them
            continue
        seeds = on.paired(arm.key, GLOROT)[0].seeds
        ours, base = (
            [finals[arm.dataset, name_of[of], seed] for seed in seeds] for of in (arm.key, GLOROT)
        )
        differences = np.subtract(ours, base)
        np.testing.assert_allclose(found.differences, differences, atol=2e-4)
        assert found.estimate.value == pytest.approx(differences.mean(), abs=2e-4)
    for arm in runs.arms:
        again, name, dataset = [], name_of[arm.key], arm.dataset
        for seed in arm.seeds:
            with np.load(folder / "runs" / f"{table[dataset, name, seed]['run']}.npz") as record:
                start, end = (w.reshape(len(w), -1).astype(float) for w in record["ends"])
            again.append(1 - (start * end).sum(1) / np.sqrt((start**2).sum(1) * (end**2).sum(1)))
        np.testing.assert_allclose(arm.final_distances, again, atol=1e-6)
        if arm.settings.frozen:  # nothing turned, so there is nothing to rank
            assert np.abs(again).max() < 1e-6
            continue
        ranks = [
            np.corrcoef(np.argsort(np.argsort(d)), np.arange(len(d)))[0, 1] for d in np.array(again)
        ]
        # Two distances that differ in the last digit alone may change places.
        np.testing.assert_allclose(rank_correlations(arm.final_distances), ranks, atol=0.01)


def page_problems(page: bytes, registered: dict) -> list[str]:
    """What is wrong with the registered page: a change without entry, an entry that it lacks."""
    digests = [registered["sha256"], *(change["sha256"] for change in registered["changes"])]
    problems = []
    if hashlib.sha256(page).hexdigest() != digests[-1]:
        problems.append(
            "the page is not the one registered last; "
            "enter the change in registration.json and on the page"
        )
    for change in registered["changes"]:
        if not all(change.get(key) for key in ("date", "what", "why")):
            problems.append(f"a change lacks date, what or why: {change}")
        elif change["date"].encode() not in page or change["what"].encode() not in page:
            problems.append(
                f"the page does not show the change of {change['date']}: {change['what']}"
            )
    return problems


def test_the_protocol_is_the_one_registered():
    registered = json.loads((ROOT / "results/registration.json").read_text(encoding="utf-8"))
    assert not page_problems((ROOT / registered["page"]).read_bytes(), registered)
    assert len(registered["commit"]) == 40 and registered["date"].startswith("20")


def test_a_changed_protocol_is_noticed():
    page = b"rules\n| 2026-12-01 | a bound | a slip |"
    registered = {"sha256": hashlib.sha256(b"rules").hexdigest(), "changes": []}
    assert page_problems(page, registered)
    change = {
        "date": "2026-12-01",
        "what": "a bound",
        "why": "a slip",
        "sha256": hashlib.sha256(page).hexdigest(),
    }
    assert not page_problems(page, registered | {"changes": [change]})
    assert page_problems(page, registered | {"changes": [change | {"why": ""}]})
    assert page_problems(page, registered | {"changes": [change | {"what": "another bound"}]})
