"""`python -m patchinit FOLDER`, from pictures to a bank."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from patchinit import make_filters
from patchinit.__main__ import main
from patchinit.data.batches import PictureBatches
from patchinit.filters import FilterBank


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(11):
        folder = tmp_path / "photos" / ("cats" if number % 2 else "dogs/young")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (14, 18, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (tmp_path / "photos/notes.txt").write_text("no picture")
    return tmp_path / "photos"


def call(photos, *options, kernel="3"):
    bank = photos.parent / "bank.safetensors"
    return main([str(photos), "--kernel", kernel, "-o", str(bank), *options]), bank


def test_as_a_process(photos):
    """As the book shows it; what it writes is what Python makes of the same pictures."""
    command = (
        "-m patchinit photos --method principal_components --filters 26 --kernel 3 "
        "-o bank.safetensors --picture bank.png"
    )
    done = subprocess.run(
        [sys.executable, *command.split()], cwd=photos.parent, capture_output=True, text=True,
        env=os.environ | {"PYTHONWARNINGS": "error"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "patchinit: files that are no pictures: 1\n"  # no bar without a terminal
    bank = FilterBank.load(photos.parent / "bank.safetensors")
    images = torch.cat([*PictureBatches(photos)])
    assert images.shape == (11, 3, 14, 18) and images.dtype == torch.uint8
    expected = make_filters("principal_components", images, (26, 3, 3, 3))
    torch.testing.assert_close(bank.filters, expected.filters, atol=1e-5, rtol=1e-4)
    assert bank.learned_from["images"] == 11 and bank.learned_from["size"] == [14, 18]
    with Image.open(photos.parent / "bank.png") as picture:
        assert picture.format == "PNG"


def test_one_seed_gives_one_file(photos):
    options = ("--method", "kmeans", "--filters", "4", "--images", "5", "--overwrite")
    files = []
    for seed in ("3", "3", "4"):
        code, bank = call(photos, *options, "--seed", seed)
        assert code == 0
        files.append(bank.read_bytes())
    assert files[0] == files[1] != files[2]
    assert FilterBank.load(bank).learned_from["images"] == 5


def test_pictures_of_several_sizes(photos, capsys):
    Image.new("RGB", (30, 20)).save(photos / "large.png")
    assert call(photos, "--filters", "4")[0] == 1
    assert "2 sizes" in capsys.readouterr().err
    code, bank = call(photos, "--filters", "4", "--size", "10x12", "--norm", "2", kernel="1x3")
    assert code == 0
    bank = FilterBank.load(bank)
    assert bank.learned_from["size"] == [10, 12] and bank.filters.shape == (4, 3, 1, 3)
    torch.testing.assert_close(bank.filters.flatten(1).norm(dim=1), torch.full((4,), 2.0))


def test_nothing_is_replaced_unasked(photos, capsys):
    assert call(photos, "--filters", "4")[0] == 0
    code, bank = call(photos, "--filters", "5")
    assert code == 1 and "--overwrite" in capsys.readouterr().err
    assert len(FilterBank.load(bank)) == 4
    assert call(photos, "--filters", "5", "--overwrite")[0] == 0
    assert len(FilterBank.load(bank)) == 5


@pytest.mark.parametrize(
    "options, why",
    [
        (["--filters", "99"], "n_filters=99"),
        (["--filters", "4", "--images", "12"], "n=12 should be between 1 and 11"),
        (["--filters", "4", "--norm", "-1"], "norm=-1"),
        (["--filters", "4", "--picture", "bank.doc"], "bank.doc should end in"),
        (["--filters", "4", "--picture", "missing/bank.png"], "no folder"),
        (["--filters", "4", "--picture", "."], "is a folder"),
    ],
)
def test_what_fails_writes_nothing(photos, capsys, options, why):
    code, bank = call(photos, *options)
    assert code == 1 and not bank.exists()
    error = capsys.readouterr().err
    assert why in error and "Traceback" not in error


@pytest.mark.parametrize("name", ["bank.png", "./bank.png", "photos/../bank.png"])
def test_bank_and_picture_are_two_files(photos, monkeypatch, capsys, name):
    monkeypatch.chdir(photos.parent)
    command = "photos --filters 4 --kernel 3 --overwrite -o bank.png --picture"
    assert main([*command.split(), name]) == 1
    assert "bank.png" in capsys.readouterr().err
    assert not (photos.parent / "bank.png").exists()


def test_a_folder_is_no_output(photos, capsys):
    (photos.parent / "bank.safetensors").mkdir()
    assert call(photos, "--filters", "4", "--overwrite")[0] == 1
    assert "bank.safetensors is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["photos"]])
def test_a_wrong_call(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option, value, bound",
    [
        ("--kernel", "0", "3x5"),
        ("--filters", "0", "at least 1"),
        ("--filters", "x", "at least 1"),
        ("--images", "-1", "at least 1"),
        ("--norm", "keep", "own or raw"),
        ("--seed", "99999999999999999999", "18446744073709551615"),
        ("--seed", "x", "integer"),
    ],
)
def test_a_wrong_value_is_named_with_its_option_and_bound(photos, capsys, option, value, bound):
    with pytest.raises(SystemExit) as caught:
        call(photos, "--filters", "4", option, value)
    error = capsys.readouterr().err.splitlines()[-1]
    assert caught.value.code == 2 and option in error and repr(value) in error and bound in error


def test_no_folder(tmp_path, capsys):
    assert call(tmp_path / "photos", "--filters", "4")[0] == 1
    assert "no folder" in capsys.readouterr().err
    (tmp_path / "photos").mkdir()
    assert call(tmp_path / "photos", "--filters", "4")[0] == 1
    assert "no picture" in capsys.readouterr().err


def test_where_the_training_runs_went(capsys):
    assert main(["run", "paper"]) == 2
    assert "python -m companion run" in capsys.readouterr().err


def test_batches_hold_few_pictures(photos, monkeypatch):
    monkeypatch.setattr("patchinit.data.batches._VALUES", 3 * 14 * 18 * 4)
    batches = PictureBatches(photos)
    assert [len(batch) for batch in batches] == [4, 4, 3] and len(batches) == 3
    assert torch.equal(torch.cat([*batches]), torch.cat([*PictureBatches(photos, batch_size=1)]))
    drawn = PictureBatches(photos, n=6, generator=torch.Generator().manual_seed(1))
    files = [picture.file for picture in drawn.pictures]
    assert len(files) == 6 == len(set(files)) and files == sorted(files)


@pytest.mark.parametrize(
    "argument",
    [{"n": 2.5}, {"n": "3"}, {"n": 12}, {"batch_size": 0}, {"batch_size": 2.5}, {"generator": 0}],
)
def test_what_batches_do_not_take_is_named(photos, argument):
    ((name, value),) = argument.items()
    with pytest.raises((TypeError, ValueError), match=f"{name}={value!r} should be"):
        PictureBatches(photos, **argument)


def test_numpys_integers_count_pictures(photos):
    batches = PictureBatches(photos, n=np.int64(5), batch_size=np.int64(2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
