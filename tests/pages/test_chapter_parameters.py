"""Chapters at the ends of their parameters: what they keep is right, or the parameter is refused.

They run in this process, on pictures of one's own in a folder, which are few and quick.
"""

import json
import re
from pathlib import Path

import numpy as np
import papermill
import pytest
import torch
from IPython.display import display
from matplotlib import pyplot as plt
from PIL import Image

from companion.claims import UNDECIDED
from companion.pages import glue
from companion.pages.parameters import (
    check_images,
    check_lists,
    check_parameters,
    label_of,
    load_test,
    not_the_case,
)
from patchinit.data import Images, load_images

ROOT = Path(__file__).parents[2]
NUMBERS = [f"{n:02}" for n in range(1, 9)]

# The least that each chapter takes of all its parameters.
LEAST = {
    "01": {"n_images": 1},
    "02": {"n_images": 1, "n_samples": 1, "n_directions": 1},
    "03": {"n_images": 1, "sample_sizes": [1], "n_draws": 2},
    "04": {"n_images": 1, "n_draws": 2, "readout_images": 50},
    "05": {"n_images": 1, "n_filters": 2, "n_patches": 20, "n_repeats": 1},
    "06": {
        "n_images": 1, "n_filters": 2, "n_patches": 500, "n_repeats": 1, "cluster_counts": [2],
        "n_small": 100, "outlier_shares": [0.01], "n_runs": 1,
    },
    "07": {"n_images": 1, "n_draws": 2},
    "08": {
        "n_images": 1, "n_test": 2, "n_train": 2, "epochs": 1, "width": 1, "n_seeds": 2,
        "n_train_short": 2, "epochs_short": 1, "n_races": 2,
    },
}  # fmt: skip


def chapter(number):
    (path,) = (ROOT / "notebooks").glob(f"{number}-*.ipynb")
    return path


def kept_by(number, monkeypatch, **parameters):
    """What a chapter keeps for its text, by name, without a kernel; its figures are drawn."""
    kept = {}
    monkeypatch.setattr(glue, "_glue", kept.__setitem__)
    names = {"__name__": "chapter", "display": display}
    for cell in json.loads(chapter(number).read_text())["cells"]:
        if cell["cell_type"] != "code" or cell["id"] == "code-03":  # that one installs
            continue
        exec(compile("".join(cell["source"]), f"{number}: {cell['id']}", "exec"), names)
        if "parameters" in cell["metadata"].get("tags", ()):
            assert parameters.keys() <= names.keys()
            names |= parameters
        plt.close("all")
    return kept


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    monkeypatch.setenv("PATCHINIT_DATA", str(tmp_path / "empty"))
    monkeypatch.chdir(ROOT)


def pictures(folder, shape, n=30):
    """A folder of one's own: two classes of smooth pictures (C, H, W), to train and to test."""
    generator = torch.Generator().manual_seed(0)
    channels, *size = shape
    coarse = torch.rand(2 * n, channels, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
    smooth = (smooth + 0.02 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)
    for i, picture in enumerate((255 * smooth).byte().permute(0, 2, 3, 1).numpy()):
        part = folder / ("train", "test")[i // n] / ("a", "b")[i % 2]
        part.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture if channels == 3 else picture[..., 0]).save(part / f"{i}.png")
    return str(folder)


# --- At the ends ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", NUMBERS)
def test_the_least_of_everything_on_pictures_of_ones_own(number, stand_ins, monkeypatch, tmp_path):
    """Nothing kept is infinite or no number, and nothing is decided by such data."""
    shape = (3, 16, 16) if int(number) % 2 else (1, 16, 40)
    shape = (3, 24, 40) if number == "08" else shape
    folder = pictures(tmp_path / "holiday", shape)
    kept = kept_by(number, monkeypatch, dataset=folder, **LEAST[number])
    texts = {name: str(getattr(value, "data", value)) for name, value in kept.items()}
    assert not {n: t for n, t in texts.items() if re.search(r"\b(nan|inf)\b", t)}
    for name, value in kept.items():
        if name.endswith("_verdict"):
            assert value == UNDECIDED
            assert "of holiday" in kept[name.replace("verdict", "evidence")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [*NUMBERS, "10", "11"])
def test_every_parameter_is_refused_by_its_name(number, stand_ins, monkeypatch):
    """Below its least, of another type, and a list that is empty."""
    known = papermill.inspect_notebook(str(chapter(number)))
    for name in known.keys() - {"dataset", "dataset_grey", "results"}:
        wrong = [-1, "3"] if name == "seed" else [0, "3", True]
        if known[name]["default"].startswith("["):
            wrong = [[], [0], ["3"], 3]
        elif isinstance(least := LEAST.get(number, {}).get(name), int):
            wrong.append(least - 1)
        for value in wrong:
            with pytest.raises(ValueError, match=rf"\b{name}=") as refused:
                kept_by(number, monkeypatch, **{name: value})
            assert repr(value) in str(refused.value)


@pytest.mark.filterwarnings("ignore")
def test_images_that_are_too_small_or_not_divided(stand_ins, monkeypatch, tmp_path):
    small = pictures(tmp_path / "small", (3, 16, 16))
    with pytest.raises(ValueError, match=r"dataset: 30 train images of small.*24 pixels or more"):
        kept_by("08", monkeypatch, dataset=small)
    undivided = pictures(tmp_path / "whole", (3, 24, 24)) + "/train"
    with pytest.raises(ValueError, match=r"dataset='.*whole/train' has no test images.*train/ and"):
        kept_by("08", monkeypatch, dataset=undivided)
    with pytest.raises(ValueError, match=r"dataset_grey: 30 train images of small.*name grey ones"):
        kept_by("02", monkeypatch, dataset_grey=small)


# --- What the checks say --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "bounds"),
    [(2, (2,)), (np.int64(3), (1, 3)), (0.5, (0.1, 0.5)), (7, ([5, 7],))],
)
def test_what_is_within_its_bounds(value, bounds):
    check_parameters(7, n=(value, *bounds))
    check_lists(n=([value], *bounds))


@pytest.mark.parametrize(
    ("value", "bounds", "words"),
    [
        (1, (2,), "an integer >= 2"),
        (4, (1, 3), "an integer from 1 to 3"),
        (2.0, (1,), "an integer >= 1"),
        (0.6, (0.1, 0.5), "a number from 0.1 to 0.5"),
        (float("nan"), (0.1, 0.5), "a number from 0.1 to 0.5"),
        (6, ([5, 7],), "one of 5, 7"),
    ],
)
def test_what_is_not_names_value_and_bounds(value, bounds, words):
    with pytest.raises(ValueError, match=re.escape(f"n={value!r} should be {words}")):
        check_parameters(n=(value, *bounds))
    with pytest.raises(ValueError, match=re.escape(f"n=[{value!r}] should be a list of one or")):
        check_lists(n=([value], *bounds))


@pytest.mark.parametrize(
    ("shape", "pixels", "words"),
    [
        ((4, 2, 9, 9), None, "one channel or three"),
        ((4, 3, 9, 6), None, "7 pixels or more"),
        ((4, 3, 9, 9), 5, "a single grey level"),
        ((1, 3, 9, 9), None, "needs 2 or more of 2 or more"),
    ],
)
def test_images_that_a_chapter_can_not_have(shape, pixels, words, generator):
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images = images if pixels is None else torch.full_like(images, pixels)
    found = Images(images, torch.arange(len(images)) % 2, ("a", "b"), "mine", "train")
    with pytest.raises(ValueError, match=rf"dataset: .*mine.*{words}"):
        check_images(7, least=2, classes=2, dataset=found)


def test_a_folder_is_named_by_its_last_name_and_is_no_data_set(tmp_path, monkeypatch):
    """Not even a folder that is called like one."""
    for name in ("holiday", "cifar10"):
        pictures(tmp_path / name, (3, 24, 24), n=4)
    monkeypatch.chdir(tmp_path)
    assert label_of(load_images("holiday")) == "holiday"
    own = load_images("./cifar10")
    assert label_of(own) == "./cifar10" and "is about CIFAR-10" in not_the_case(own)
    monkeypatch.chdir(tmp_path / "holiday/train")
    assert label_of(load_images(Path("."))) == "train"
    assert len(load_test(load_images(".."), dataset="..")) == 4


def test_a_claim_is_about_a_hundred_images_of_the_papers_data(generator):
    images = torch.randint(0, 256, (100, 1, 28, 28), generator=generator, dtype=torch.uint8)
    real = Images(images, torch.zeros(100).long(), ("a",), "fashion_mnist", "train")
    assert not not_the_case(real)
    assert not_the_case(real.sample(99)).startswith("99 images of Fashion-MNIST")
