"""Runs: exact to resume, whole or not at all, each made once."""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from companion.runs import files as storage
from companion.runs.course import snapshot_epochs
from companion.runs.files import FolderBusy, StorageError, exclusive_lock, write_whole
from companion.runs.prepare import load, prepare
from companion.runs.record import RunRefused, read_result
from companion.runs.run import execute
from companion.runs.settings import Settings
from companion.runs.trainer import Trainer
from patchinit.filters import cosine_distance

SMALL = Settings(
    dataset="photos",
    method="kmeans",
    epochs=3,
    n_train=96,
    batch_size=32,
    n_images=20,
    n_evaluate=64,
    widths=(4,) * 3,
)


def same(one, other):
    """Whether two records agree in every bit but for the time taken."""
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("norms", "distances", "filter_epochs", "filters", "correct", "final_loss"))
        and [dataclasses.replace(e, seconds=0) for e in one.epochs]
        == [dataclasses.replace(e, seconds=0) for e in other.epochs]
    )  # fmt: skip


class Stop(Exception):
    pass


def stop_after(n):
    def on_epoch(epoch):
        if epoch.epoch == n:
            raise Stop

    return on_epoch


@pytest.mark.parametrize("augmentation", ["none", "flip_crop"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_resumed_equals_uninterrupted(tmp_path, augmentation, optimizer):
    settings = dataclasses.replace(
        SMALL, augmentation=augmentation, optimizer=optimizer, drop_after=2
    )
    whole = execute(settings, tmp_path / "whole")
    for n in (1, 2):
        with pytest.raises(Stop):
            execute(settings, tmp_path / "stopped", on_epoch=stop_after(n))
    resumed = execute(settings, tmp_path / "stopped")
    assert same(resumed, whole)
    assert not (tmp_path / "stopped/checkpoint").exists()


def make(settings, folder, told):
    """A run in a process of its own."""
    torch.set_num_threads(1)
    execute(settings, folder, on_epoch=lambda epoch: told.send(epoch.epoch))


def test_killed_and_started_again(tmp_path, ready):
    """SIGKILL at some moment after the first epochs: at most the epoch under way is made again."""
    settings = dataclasses.replace(SMALL, epochs=8)
    made = []
    for n_epochs in (2, 3, None):
        ours, theirs = ready.Pipe(duplex=False)
        process = ready.Process(target=make, args=(settings, tmp_path / "killed", theirs))
        process.start()
        theirs.close()  # so that what is read ends with the process
        n = 0
        with contextlib.suppress(EOFError):
            while True:
                made.append(ours.recv())  # also epochs that it still announced
                n += 1
                if n == n_epochs:
                    process.kill()
        process.join()
        assert process.exitcode == (0 if n_epochs is None else -signal.SIGKILL)
    assert sorted(set(made)) == list(range(1, 9))
    assert len(made) <= 8 + 2  # an epoch a kill
    assert same(read_result(tmp_path / "killed/result.npz"), execute(settings, tmp_path / "whole"))


def test_record_agrees_with_the_run(tmp_path):
    """Norms, distances and bits against the model trained by hand with the same settings."""
    record = execute(SMALL, tmp_path)
    again = read_result(tmp_path / "result.npz")
    assert same(record, again) and again.settings == SMALL and not again.diverged
    model, *_ = prepare(SMALL)
    start = model.first_layer.weight.detach()
    np.testing.assert_array_equal(record.filters[0], start)
    np.testing.assert_allclose(
        record.norms[-1], np.linalg.norm(record.filters[-1].reshape(27, -1), axis=1), rtol=1e-3
    )
    last = cosine_distance(start, torch.from_numpy(record.filters[-1]))
    np.testing.assert_allclose(record.distances[-1], last, rtol=1e-3, atol=1e-7)
    assert (
        len(record.correct) == 1_700
        and record.epochs[-1].test_accuracy == record.correct[:64].mean()
    )
    assert record.filter_epochs.tolist() == [0, 1, 2, 3]


def test_snapshots_are_about_25():
    epochs = snapshot_epochs(250)
    assert epochs[0] == 0 and epochs[-1] == 250 and 20 <= len(epochs) <= 26
    assert snapshot_epochs(1) == [0, 1]


def test_runs_of_a_seed_are_paired():
    """Arms share the other layers, the training images and the filter images; seeds share none."""
    arms = [
        prepare(dataclasses.replace(SMALL, method=m))
        for m in ("glorot_uniform", "kmeans", "principal_components")
    ]
    for model, train_set, *_ in arms[1:]:
        assert torch.equal(train_set.images, arms[0][1].images)
        for name, value in model.state_dict().items():
            equal = torch.equal(value, arms[0][0].state_dict()[name])
            assert equal == (name != "features.0.weight"), name
    other, images, *_ = prepare(dataclasses.replace(SMALL, seed=1))
    assert not torch.equal(images.images, arms[0][1].images)
    assert not torch.equal(other.features[3].weight, arms[0][0].features[3].weight)


def test_norm_changes_no_direction():
    """Glorot at norm 1 has the directions of Glorot at its own; "glorot" is Glorot's mean norm."""
    one = prepare(dataclasses.replace(SMALL, method="glorot_uniform", norm=1.0))[
        0
    ].first_layer.weight
    own = prepare(dataclasses.replace(SMALL, method="glorot_uniform"))[0].first_layer.weight
    torch.testing.assert_close(
        cosine_distance(one, own), torch.zeros(27, dtype=torch.float64), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(one.flatten(1).norm(dim=1), torch.ones(27))
    kept = (
        prepare(dataclasses.replace(SMALL, norm="glorot"))[0]
        .first_layer.weight.flatten(1)
        .norm(dim=1)
    )
    # Glorot's variance 2 / (fan in + fan out), over 27 values, for 27 filters of 3x3x3.
    torch.testing.assert_close(
        kept, torch.full((27,), (27 * 2 / (27 + 243)) ** 0.5), rtol=0.1, atol=0
    )


def test_raw_is_as_computed():
    """A cluster's centre with the length that it has, in the direction of its own-norm filter."""
    raw, own = (
        prepare(dataclasses.replace(SMALL, norm=norm)).model.first_layer.weight.detach()
        for norm in ("raw", "own")
    )
    lengths = raw.flatten(1).norm(dim=1)
    assert lengths.max() > 1.1 * lengths.min()
    torch.testing.assert_close(raw / lengths[:, None, None, None], own)


def test_held_out_images_are_not_trained_on():
    settings = dataclasses.replace(SMALL, n_held_out=50, n_train=None)
    _, train_set, held_out, *_ = prepare(settings)
    _, _, other_seed, *_ = prepare(dataclasses.replace(settings, seed=3))
    everything, _, _ = load("photos", "train")
    assert len(held_out) == 50 and len(train_set) == len(everything) - 50
    assert torch.equal(held_out.images, other_seed.images)
    key = {image.numpy().tobytes() for image in held_out.images}
    assert not key & {image.numpy().tobytes() for image in train_set.images}


@pytest.mark.parametrize(
    "options",
    [
        {"layers": "all", "method": "principal_components"},
        {"others": "lsuv"},
        {"others": "orthogonal"},
        {"frozen": True},
    ],
)
def test_other_arms_train(tmp_path, options):
    result = execute(dataclasses.replace(SMALL, epochs=1, **options), tmp_path)
    moved = np.abs(result.filters[-1] - result.filters[0]).max()
    assert (moved == 0) == bool(options.get("frozen"))


def test_divergence_is_recorded(tmp_path):
    settings = dataclasses.replace(SMALL, optimizer="sgd", learning_rate=1e38, epochs=5)
    result = execute(settings, tmp_path)
    assert result.diverged and len(result.epochs) < 5
    assert read_result(tmp_path / "result.npz").diverged
    assert len(result.filters) == len(result.filter_epochs)


def test_changed_setting_is_named(tmp_path):
    with pytest.raises(Stop):
        execute(SMALL, tmp_path, on_epoch=stop_after(1))
    with pytest.raises(RunRefused, match=r"learning_rate: 0.001 -> 0.002.*--folder"):
        execute(dataclasses.replace(SMALL, learning_rate=2e-3), tmp_path)
    execute(SMALL, tmp_path)
    with pytest.raises(RunRefused, match=r"seed: 0 -> 4"):
        execute(dataclasses.replace(SMALL, seed=4), tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b[:-100], lambda b: b[:5000] + b"x" + b[5001:], lambda b: b"", lambda b: b"x" * 900],
)
def test_damaged_checkpoint(tmp_path, spoil):
    with pytest.raises(Stop):
        execute(SMALL, tmp_path, on_epoch=stop_after(1))
    path = tmp_path / "checkpoint"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(RunRefused, match=r"checkpoint is damaged.*move it aside"):
        execute(SMALL, tmp_path)


def test_checkpoint_with_code_is_not_run(tmp_path):
    """A checkpoint is data: a pickle that would call anything is refused, right digest or not."""

    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    buffer = io.BytesIO()
    torch.save({"trainer": Trap()}, buffer)
    content = buffer.getvalue()
    (tmp_path / "checkpoint").write_bytes(
        f"{hashlib.sha256(content).hexdigest()} 1\n".encode() + content
    )
    with pytest.raises(RunRefused, match="no checkpoint of ours"):
        execute(SMALL, tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_foreign_result(tmp_path):
    np.savez(tmp_path / "result.npz", weights=np.zeros(3))
    with pytest.raises(RunRefused, match=r"result.npz is damaged, or no record of a run"):
        execute(SMALL, tmp_path)


def test_result_holds_no_objects(tmp_path):
    execute(dataclasses.replace(SMALL, epochs=1), tmp_path)
    with zipfile.ZipFile(tmp_path / "result.npz") as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                np.lib.format.read_array(file, allow_pickle=False)


def test_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "result.npz"
    write_whole(path, b"first")
    full = lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device"))  # noqa: E731
    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device.*make room"):
        write_whole(path, b"second, longer")
    assert path.read_bytes() == b"first" and [p.name for p in tmp_path.iterdir()] == ["result.npz"]


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageError, match="can't be used"):
        execute(SMALL, tmp_path / "runs/one")


def test_a_folder_is_held_by_one_process(tmp_path):
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'a'); "
        "fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    )
    command = [sys.executable, "-S", "-c", holder, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(FolderBusy):
            execute(SMALL, tmp_path)
        process.kill()  # the lock goes with the process
    with exclusive_lock(tmp_path / "lock"):
        pass


def test_settings_survive_json():
    settings = dataclasses.replace(SMALL, norm="glorot", label_share=0.25)
    assert Settings.from_json(settings.to_json()) == settings
    with pytest.raises(ValueError, match="unknown fields: colour"):
        Settings.from_json(json.dumps({"colour": 1}))


def test_a_head_on_record_is_the_only_one_there_is():
    values = json.loads(SMALL.to_json())
    assert Settings.from_json(json.dumps(values | {"head": "average"})) == SMALL
    with pytest.raises(ValueError, match="head='flatten' is no more"):
        Settings.from_json(json.dumps(values | {"head": "flatten"}))


@pytest.mark.parametrize("norm", [0.5, 2, "own", "raw", "glorot"])
def test_norms_there_are(norm):
    assert dataclasses.replace(SMALL, norm=norm).norm == norm


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("dataset", "mnist", "should be one of cifar10"),
        ("method", "pca", "principal_components"),
        ("epochs", 0, ">= 1"),
        ("epochs", 1.5, "whole number"),
        ("batch_size", 1, ">= 2"),
        ("seed", -1, ">= 0"),
        ("learning_rate", 0.0, "> 0"),
        ("learning_rate", float("nan"), "> 0"),
        ("label_share", 0.0, "> 0 and <= 1"),
        ("label_share", 1.5, "<= 1"),
        ("norm", "keep", "a number > 0, 'own', 'raw' or 'glorot'"),
        ("norm", -1.0, "> 0"),
        ("n_train", 1, ">= 2"),
        ("widths", (), "at least one width"),
        ("widths", (4,) * 15, "for photos, at most 14"),
        ("widths", (4, 0), "each >= 1"),
        ("precision", "fp16", "bf16"),
        ("optimizer", "lion", "adam"),
    ],
)
def test_settings_out_of_range(field, value, text):
    with pytest.raises(ValueError, match=f"(?s){field}=.*{text}"):
        dataclasses.replace(SMALL, **{field: value})


def test_generators_depend_on_seed_purpose_and_epoch_alone():
    def draw(**kwargs):
        settings = dataclasses.replace(
            SMALL, **{k: v for k, v in kwargs.items() if k in ("seed", "method")}
        )
        return torch.rand(
            4, generator=settings.generator(kwargs.get("purpose", "order"), kwargs.get("epoch", 1))
        )

    assert torch.equal(draw(), draw(method="glorot_uniform"))
    for other in ({"seed": 1}, {"purpose": "weights"}, {"epoch": 2}):
        assert not torch.equal(draw(), draw(**other))


def test_labels_save_no_steps():
    """A tenth of the labels: as many images an epoch, from a tenth of them."""
    model, train_set, test_set, *_ = prepare(SMALL)
    trainer = Trainer(model, train_set, test_set, dataclasses.replace(SMALL, label_share=0.125))
    order, _, _ = trainer.batches.draw(1)
    assert len(order) == 96 and len(trainer.batches.images) == 12
    assert torch.equal(order.bincount(), torch.full((12,), 8))
