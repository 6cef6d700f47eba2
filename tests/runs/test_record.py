"""Records: all that the protocol lists, right to the bit where it can be, and readable for good."""

import dataclasses
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from companion.runs.collect import collect
from companion.runs.course import on_the_sphere, snapshot_epochs
from companion.runs.plan import Study
from companion.runs.prepare import prepare
from companion.runs.provenance import (
    KEEPS_NUMBERS,
    MAKES_NUMBERS,
    code,
    conditions,
    meaning,
)
from companion.runs.record import (
    MAX_PARAMETERS,
    RunRefused,
    pack_result,
    read_result,
    unpack_result,
)
from companion.runs.run import execute
from companion.runs.settings import Settings
from companion.simpleconv import SimpleConv
from patchinit.filters import cosine_distance
from tests.conftest import ROOT

SMALL = Settings(
    dataset="digits",
    method="principal_components",
    epochs=12,
    drop_after=8,
    n_train=96,
    batch_size=32,
    n_images=20,
    n_evaluate=64,
    widths=(4,) * 3,
)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return execute(SMALL, tmp_path_factory.mktemp("run"))


def test_every_field_survives_the_file(record):
    again = unpack_result(pack_result(record))
    for field in dataclasses.fields(record):
        one, other = getattr(record, field.name), getattr(again, field.name)
        if field.name == "network":
            assert one.keys() == other.keys() and all(
                np.array_equal(one[key], other[key]) for key in one
            )
        elif isinstance(one, np.ndarray):
            # A second packing rounds no further, but for the lengths of gradients: what is read
            # can be written again.
            np.testing.assert_allclose(
                one, other, rtol=1e-3 if field.name == "gradients" else 1e-6, err_msg=field.name
            )
            assert one.dtype == other.dtype, field.name
        else:
            assert one == other, field.name


def test_shapes_are_what_the_docstring_says(record):
    snapshots = len(snapshot_epochs(12))
    assert record.norms.shape == record.distances.shape == record.responses.shape == (13, 9)
    assert record.filters.shape == record.gradients.shape == (snapshots, 9, 1, 3, 3)
    assert record.gradient_norms.shape == record.gradient_cosines.shape == (snapshots, 9)
    assert record.late_correct.shape == (10, 64) and record.late_correct.dtype == bool
    assert record.losses.shape == record.correct.shape
    assert len(record.epochs) == 12 and all(
        0 <= epoch.train_accuracy <= 1 for epoch in record.epochs
    )
    assert np.isnan(record.responses[0]).all() and (record.responses[1:] > 0).all()


def test_the_last_epochs_bits_agree_with_the_accuracies(record):
    accuracies = [epoch.test_accuracy for epoch in record.epochs[-10:]]
    np.testing.assert_allclose(record.late_correct.mean(axis=1), accuracies)
    np.testing.assert_array_equal(record.late_correct[-1], record.correct[:64])
    assert record.losses.mean() == pytest.approx(record.final_loss, rel=1e-3)


def test_the_network_comes_out_again(record):
    """Built anew from the record it classifies as it did, but for what half precision can turn."""
    model = SimpleConv(1, 10, widths=SMALL.widths)
    state = {name: torch.from_numpy(value) for name, value in record.network.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all("num_batches_tracked" in name for name in missing)
    np.testing.assert_array_equal(model.first_layer.weight.detach(), record.filters[-1])
    images = prepare(SMALL).test_set
    with torch.no_grad():
        logits = model.eval()(images.images.float() / 255)
    losses = F.cross_entropy(logits, images.labels, reduction="none")
    np.testing.assert_allclose(losses, record.losses, rtol=0.05, atol=0.02)
    assert (logits.argmax(1) == images.labels).numpy().mean() == pytest.approx(
        record.correct.mean(), abs=0.01
    )


def test_gradient_of_the_start_by_hand(record):
    prepared = prepare(SMALL)
    fixed = torch.randperm(96, generator=torch.Generator().manual_seed(0))
    images, labels = (
        prepared.train_set.images[fixed].float() / 255,
        prepared.train_set.labels[fixed],
    )
    loss = F.cross_entropy(prepared.model.train()(images), labels)
    gradient = torch.autograd.grad(loss, prepared.model.first_layer.weight)[0]
    np.testing.assert_allclose(
        record.gradients[0], gradient, rtol=2e-3, atol=1e-3 * float(gradient.abs().max())
    )
    # Behind batch normalisation the loss does not see the norm: but for epsilon no gradient lies
    # along a filter.
    strong = record.gradient_norms[0] > 1e-3
    assert strong.any() and np.abs(record.gradient_cosines[0, strong]).max() < 0.05


def test_on_the_sphere_does_not_depend_on_the_norm():
    """g(a w) = g(w) / a, so the gradient with respect to the direction is the same."""
    generator = torch.Generator().manual_seed(0)
    w, g = (
        torch.randn(2, 5, 3, 3, 3, generator=generator),
        torch.randn(2, 5, 3, 3, 3, generator=generator),
    )
    norms, cosines = on_the_sphere(w, g)
    again, same = on_the_sphere(7 * w, g / 7)
    np.testing.assert_allclose(norms, again, rtol=1e-5)
    np.testing.assert_allclose(cosines, same, rtol=1e-5)
    along = (w * g).flatten(2).sum(2)
    np.testing.assert_allclose(
        cosines, along / w.flatten(2).norm(dim=2) / g.flatten(2).norm(dim=2), rtol=1e-5
    )
    whole = (g.flatten(2).norm(dim=2) * w.flatten(2).norm(dim=2)).numpy()
    np.testing.assert_allclose(norms**2 + (cosines * whole) ** 2, whole**2, rtol=1e-4)


def test_learned_is_what_the_start_was_learned_with(record):
    assert (
        len(record.learned["eigenvalues"]) == 9
        and record.learned["eigenvalues"][0] > record.learned["eigenvalues"][-1]
    )
    assert len(set(record.filter_images.tolist())) == 20
    clusters = prepare(dataclasses.replace(SMALL, method="kmeans")).learned
    assert {"inertia", "shares", "n_iter", "converged"} <= clusters.keys() and len(
        clusters["shares"]
    ) == 9
    json.dumps(clusters)  # plain numbers and lists


def test_a_frozen_layer_has_a_gradient_too(tmp_path):
    result = execute(dataclasses.replace(SMALL, frozen=True, epochs=1), tmp_path)
    assert (result.gradient_norms > 0).all() and np.allclose(result.distances, 0, atol=1e-6)


def test_large_networks_are_not_kept(tmp_path):
    settings = dataclasses.replace(SMALL, epochs=1, widths=(100, 120), n_train=32, n_evaluate=8)
    assert MAX_PARAMETERS < 9 * 9 * 100 + 9 * 100 * 120
    assert execute(settings, tmp_path).network == {}


def test_divergence_can_be_recorded(tmp_path):
    result = execute(dataclasses.replace(SMALL, optimizer="sgd", learning_rate=1e38), tmp_path)
    assert result.diverged and not math.isfinite(result.epochs[-1].train_loss)
    assert read_result(tmp_path / "result.npz").diverged


@pytest.fixture
def registered():
    """A record that the registered commit wrote, of a run of one second."""
    return Path(__file__).parent / "fixtures/registered.npz"


def test_a_record_of_the_registered_commit_is_read_and_collected(registered, tmp_path):
    """Byte for byte; its settings have a field more, of which there is one value."""
    text = json.loads(str(np.load(registered)["text"]))
    assert text["settings"]["head"] == "average"
    result = read_result(registered)
    assert result.about["code"]["digest"] == "067635dedad118dc"
    shared = json.loads(result.settings.to_json())
    arm = {"method": shared.pop("method")}
    dataset, seed = shared.pop("dataset"), shared.pop("seed")
    study = Study("old", "", {"arm": arm}, shared, (dataset,), n_seeds=1)
    run = study.run("arm", dataset, seed)
    assert run.settings == result.settings
    run.record(tmp_path / "runs").parent.mkdir(parents=True)
    shutil.copy(registered, run.record(tmp_path / "runs"))
    collect(study, tmp_path / "runs", tmp_path / "results", "by hand")
    assert run.collected(tmp_path / "results").read_bytes() == registered.read_bytes()
    again = unpack_result(pack_result(result))
    assert np.array_equal(again.filters, result.filters) and again.about == result.about


def test_records_of_the_reduced_studies_have_empty_fields():
    """What nobody had measured when they were made."""
    path = ROOT / "results/norms-small/runs/cifar10--kmeans-at-Glorot-s-norm--seed-0.npz"
    if not path.exists():
        pytest.skip(f"{path.relative_to(ROOT)} is not there any more")
    old = read_result(path)
    assert (old.settings.norm, old.settings.precision) == ("glorot", "fp32")
    assert not old.gradients.size and old.network == {} and math.isnan(old.epochs[0].train_accuracy)
    assert conditions(old.settings, old.about)["device"] == "cpu"


def test_something_else_is_refused():
    with pytest.raises(RunRefused, match="is damaged, or no record of a run"):
        unpack_result(b"something else")


# --- Going on -----------------------------------------------------------------------------------


class Stop(Exception):
    pass


def stop(epoch):
    raise Stop


def test_going_on_starts_from_the_recorded_filters(tmp_path, monkeypatch):
    """Even if they would be learned differently now: distances stay those from the first start."""
    with pytest.raises(Stop):
        execute(SMALL, tmp_path, on_epoch=stop)

    def learn(*args, **kwargs):
        raise AssertionError("filters were learned again")

    start = prepare(SMALL).model.first_layer.weight.detach().clone()
    monkeypatch.setattr("companion.runs.prepare.initialize_first_layer_", learn)
    result = execute(SMALL, tmp_path)
    np.testing.assert_array_equal(result.filters[0], start)
    last = cosine_distance(start, torch.from_numpy(result.filters[-1]))
    np.testing.assert_allclose(result.distances[-1], last, rtol=1e-3, atol=1e-6)
    assert len(result.learned["eigenvalues"]) == 9


def test_stops_are_recorded_and_do_not_pile_up(tmp_path):
    """A line a stop, of one size, however many there are; nothing but the times on one machine."""
    for _ in range(8):
        with pytest.raises(Stop):
            execute(SMALL, tmp_path, on_epoch=stop)
    about = execute(SMALL, tmp_path).about
    assert len(about["earlier"]) == 8
    assert all(set(line) <= {"begun", "resumed", "saved"} for line in about["earlier"])
    assert about["begun"] <= about["earlier"][-1]["saved"] <= about["resumed"] <= about["ended"]
    assert len(json.dumps(about["earlier"])) < 8 * 120


def test_another_machine_is_named(tmp_path, monkeypatch):
    with pytest.raises(Stop):
        execute(SMALL, tmp_path, on_epoch=stop)
    monkeypatch.setattr("companion.runs.provenance._processor", lambda: "Another One")
    earlier = execute(SMALL, tmp_path).about["earlier"]
    assert (
        len(earlier) == 1 and earlier[0]["processor"] != "Another One" and "torch" not in earlier[0]
    )


def test_code_is_commit_dirty_and_digest():
    found = code()
    assert len(found["digest"]) == 16 and (found["commit"] is None or len(found["commit"]) == 40)
    assert found["dirty"] in (None, True, False)


def test_the_digest_covers_every_module_that_a_run_passes_through():
    script = """
import sys, companion.runs.run
from pathlib import Path
source = Path(companion.__file__).parents[1]
files = [
    Path(module.__file__)
    for name, module in sys.modules.items()
    if name.split(".")[0] in ("companion", "patchinit")
]
print(*(file.relative_to(source) for file in files if file.name != "__init__.py"), sep="\\n")
"""
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert sorted(printed.stdout.split()) == sorted(MAKES_NUMBERS + KEEPS_NUMBERS)


MODULE = '''"""A module; its "words" are no matter."""

RATE = 0.5  # a share
TEXT = "# no comment"


class Half:
    """É: bytes are not letters."""; n = 1

    def of(self, x):
        """Of a number.

        >>> Half().of(2)
        1.0
        """
        # as one would
        return f"{RATE * x:#.3f} # {x}"
'''
MEANT = '''RATE = 0.5
TEXT = "# no comment"
class Half:
    ; n = 1
    def of(self, x):
        return f"{RATE * x:#.3f} # {x}"'''


def test_the_digest_is_of_what_the_code_means():
    """And the same on every Python: cut out by hand here."""
    assert meaning(MODULE) == MEANT
    for was, now in (
        ("  # a share", ""), ("# as one would", "#"), ("Of a number.", "Half a number."),
        ("0.5  # a share\n", "0.5\n\n\n"), ("\n", "\r\n"), ('"# no comment"', '"# no comment"  '),
    ):  # fmt: skip
        assert MODULE.replace(was, now) != MODULE
        assert meaning(MODULE.replace(was, now)) == MEANT, was
    for was, now in (("0.5", "0.25"), ("# {x}", "# {x:d}"), ("# no", "# a")):
        assert meaning(MODULE.replace(was, now)) != MEANT, was
