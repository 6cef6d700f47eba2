"""Image sets: stand-ins, folders of one's own, published sets on disk, and what is refused."""

import html
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.datasets
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from patchinit.data import (
    DATASETS,
    PUBLISHED,
    DatasetDamaged,
    DatasetUnavailable,
    Images,
    StandInWarning,
    default_root,
    load_images,
)
from tests.published import CIFAR_FILES, publish_cifar

# --- The offline stand-ins -----------------------------------------------------------------------


def assert_as_in_the_catalogue(part):
    known = DATASETS[part.name]
    n = known.n_train if part.split == "train" else known.n_test
    assert part.images.shape == (n, known.channels, known.size, known.size)
    assert part.images.dtype == torch.uint8 and part.images.is_contiguous()
    assert part.labels.shape == (n,) and part.labels.dtype == torch.int64
    assert part.labels.unique().tolist() == list(range(len(part.classes)))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name, n_classes", [("photos", 2), ("digits", 10)])
def test_stand_ins_are_labelled_images(name, n_classes, split):
    images, labels, classes = part = load_images(name, split)
    assert_as_in_the_catalogue(part)
    assert images is part.images and labels is part.labels and len(classes) == n_classes
    assert (part.name, part.split, part.stand_in_for) == (name, split, None)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sets_are_as_in_the_catalogue(real_data, name, split):
    assert_as_in_the_catalogue(load_images(name, split, root=real_data))


def test_a_stand_in_has_the_shape_of_what_it_stands_in_for():
    for name in PUBLISHED:
        known, instead = DATASETS[name], DATASETS[DATASETS[name].stand_in]
        assert (known.channels, known.size) == (instead.channels, instead.size)


def test_photos_are_crops_of_the_photographs():
    china = torch.from_numpy(np.array(load_sample_images().images[0])).permute(2, 0, 1)
    train = load_images("photos")
    test = load_images("photos", "test")
    assert torch.equal(train.images[0], china[:, :32, :32]) and train.labels[0] == 0
    assert torch.equal(train.images[1], china[:, :32, 8:40])
    assert torch.equal(test.images[0], china[:, :32, 480:512])


def test_photos_share_no_pixel_between_the_splits(monkeypatch):
    height, width = 427, 640
    codes = np.arange(2 * height * width).reshape(2, height, width)  # of picture, row and column
    pictures = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.uint8)
    found = SimpleNamespace(images=list(pictures))
    monkeypatch.setattr(sklearn.datasets, "load_sample_images", lambda: found)
    seen = {}
    for split in ("train", "test"):
        red, green, blue = load_images("photos", split).images.long().unbind(1)
        seen[split] = torch.zeros(codes.size, dtype=torch.bool)
        seen[split][red << 16 | green << 8 | blue] = True
    assert not (seen["train"] & seen["test"]).any()
    assert seen["train"].sum() > 2 * seen["test"].sum() > height * width / 4


def test_each_digit_is_in_one_split(monkeypatch):
    digits = load_digits()
    digits.target = np.arange(len(digits.target))
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: digits)
    numbers = torch.cat([load_images("digits", split).labels for split in ("train", "test")])
    assert torch.equal(numbers.sort().values, torch.arange(len(numbers)))


def test_digits_keep_brightness_and_label():
    found, ours = load_digits(), load_images("digits", "test")
    assert ours.labels.tolist() == found.target[::5].tolist()
    means = torch.from_numpy(found.images[::5]).mean((1, 2)) * 255 / 16
    torch.testing.assert_close(ours.images.double().mean((1, 2, 3)), means, atol=3.0, rtol=0.1)


# --- A sample and how a set shows itself ----------------------------------------------------------


def test_sample_draws_without_replacement_and_keeps_labels():
    pixels = torch.arange(50, dtype=torch.uint8).reshape(50, 1, 1, 1)
    whole = Images(pixels, torch.arange(50), ("a",), "x", "train")
    one, two = (whole.sample(30, generator=torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one.images.flatten().long(), one.labels) and len(one.labels.unique()) == 30
    assert torch.equal(one.labels, two.labels)
    assert torch.equal(whole.sample(50).labels.sort().values, whole.labels)


@pytest.mark.parametrize("n", [0, -1, 51])
def test_impossible_samples_are_named(n):
    pixels = torch.zeros(50, 1, 2, 2, dtype=torch.uint8)
    whole = Images(pixels, torch.zeros(50).long(), ("a",), "things", "test")
    words = f"n={n} should be an integer between 1 and 50, the test images of things"
    with pytest.raises(ValueError, match=words):
        whole.sample(n)


def test_names_are_escaped_in_html():
    name = "<script>alert('&')</script>"
    pixels = torch.zeros(1, 3, 4, 5, dtype=torch.uint8)
    plain = Images(pixels, torch.zeros(1).long(), ("a",), name, "train")
    standing = replace(plain, stand_in_for="<b>cifar10</b>")
    assert "1 train images of <script>" in repr(plain) and "3 x 4 x 5" in repr(plain)
    for shown in (plain._repr_html_(), standing._repr_html_()):
        assert "<script" not in shown and "<b>" not in shown and html.escape(name) in shown
    assert "stand-in" not in plain._repr_html_()


# --- What is replaced and what never is -----------------------------------------------------------


@pytest.mark.parametrize("default, instead", [("cifar10", "photos"), ("fashion_mnist", "digits")])
def test_default_is_replaced_with_warning_and_banner(tmp_path, default, instead):
    words = f"{default} is not in .* downloading is off. Using '{instead}' instead"
    with pytest.warns(StandInWarning, match=words):
        found = load_images(default=default, root=tmp_path)
    assert (found.name, found.stand_in_for) == (instead, default)
    assert torch.equal(found.images, load_images(instead).images)
    shown = found._repr_html_()
    assert 'class="admonition warning stand-in"' in shown
    assert f"{default} could not be had" in shown and f"computed on {instead}" in shown
    assert f"standing in for {default}" in repr(found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_named_set_is_never_replaced(tmp_path, name, split):
    words = f"{name} is not in .* downloading is off"
    with pytest.raises(DatasetUnavailable, match=words):  # a warning is an error
        load_images(name, split, root=tmp_path)


def test_root_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    words = "cifar10 is not in .*data, and that folder can't be written"
    with pytest.raises(DatasetUnavailable, match=words):
        load_images("cifar10", root=blocked / "data", download=True)


def test_where_data_is_looked_for(tmp_path, monkeypatch):
    (tmp_path / "book" / "notebooks").mkdir(parents=True)
    (tmp_path / "book" / "_toc.yml").touch()
    monkeypatch.delenv("PATCHINIT_DATA", raising=False)
    monkeypatch.chdir(tmp_path / "book" / "notebooks")
    assert default_root() == tmp_path / "book" / "data"
    monkeypatch.chdir(tmp_path)
    assert default_root() == tmp_path / "data"
    monkeypatch.setenv("PATCHINIT_DATA", str(tmp_path / "elsewhere"))
    assert default_root() == tmp_path / "elsewhere"


# --- Published sets on disk -----------------------------------------------------------------------


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A root with a tiny CIFAR-10 whose digests count as the published ones."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for file, content in publish_cifar(monkeypatch).items():
        (folder / file).write_bytes(content)
    return tmp_path / "data"


def test_cifar_from_disk_keeps_the_order_of_its_values(cifar):
    train, test = (load_images("cifar10", split, root=cifar) for split in ("train", "test"))
    assert train.images.shape == (20, 3, 32, 32) and test.images.shape == (4, 3, 32, 32)
    assert train.images.dtype == torch.uint8 and train.images.is_contiguous()
    stored = pickle.loads((cifar / "cifar-10-batches-py/data_batch_2").read_bytes())[b"data"]
    assert np.array_equal(train.images[4:8].flatten(1).numpy(), stored)
    assert test.labels.tolist() == [3, 1, 0, 2] and test.classes == ("w", "x", "y", "z")


@pytest.mark.parametrize("file", CIFAR_FILES)
@pytest.mark.parametrize("name", ["cifar10", None])
def test_a_booby_trapped_pickle_is_never_executed(cifar, tmp_path, file, name):
    marker = tmp_path / "sprung"
    trapped = cifar / "cifar-10-batches-py" / file
    trapped.write_bytes(pickle.dumps(Trap(marker)))
    for split in ("train", "test"):
        words = f"{file} is damaged: its sha256 .*Move it aside and load again"
        with pytest.raises(DatasetDamaged, match=words):
            load_images(name, split, root=cifar)  # nor is a damaged default replaced by a stand-in
    assert not marker.exists()
    pickle.loads(trapped.read_bytes()).close()
    assert marker.exists(), "the trap works"


def test_one_flipped_bit_of_a_real_file_is_found(real_data, tmp_path):
    labels = load_images("fashion_mnist", root=real_data).labels
    assert labels.bincount().tolist() == [6000] * 10
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (real_data / "FashionMNIST/raw").iterdir():
        (raw / path.name).symlink_to(path.resolve())
    damaged = raw / "t10k-labels-idx1-ubyte"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.unlink()
    damaged.write_bytes(content)
    words = "t10k-labels-idx1-ubyte is damaged: its sha256 .*Move it aside"
    with pytest.raises(DatasetDamaged, match=words):
        load_images("fashion_mnist", root=tmp_path)


# --- A folder of one's own ------------------------------------------------------------------------


def draw(folder, labels=("cat", "dog"), n=2, size=(6, 9), mode="RGB", suffix="png"):
    """n random images for each label; returns their pixels in the order of loading."""
    rng = np.random.default_rng(len(str(folder)))
    written = []
    for label in labels:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(n):
            shape = (*size, 3) if mode == "RGB" else size
            pixels = rng.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{index}.{suffix}")
            written.append(pixels)
    return np.stack(written)


def test_folder_of_class_folders(tmp_path):
    pixels = draw(tmp_path / "pets")
    images, labels, classes = found = load_images(tmp_path / "pets")
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), pixels) and images.is_contiguous()
    assert labels.tolist() == [0, 0, 1, 1] and classes == ("cat", "dog")
    assert (found.name, found.split, found.stand_in_for) == ("pets", "train", None)
    assert torch.equal(load_images(str(tmp_path / "pets")).images, images)


def test_greyscale_keeps_one_channel(tmp_path):
    pixels = draw(tmp_path, mode="L")
    assert np.array_equal(load_images(tmp_path).images[:, 0].numpy(), pixels)


def test_one_colour_image_makes_all_colour_whatever_the_values(tmp_path):
    grey = draw(tmp_path, labels=["a"], mode="L")
    grey_in_value = np.full((6, 9, 3), 7, dtype=np.uint8)
    Image.fromarray(grey_in_value).save(tmp_path / "a" / "9.png")
    images = load_images(tmp_path).images
    assert images.shape == (3, 3, 6, 9)
    assert all(np.array_equal(images[:2, channel].numpy(), grey) for channel in range(3))


@pytest.mark.parametrize(
    "present, absent, words",
    [
        ("train", "test", "has no folder 'test'"),
        ("test", "train", "has no folder 'train'"),
        ("", "test", "has no folders 'train' and 'test'"),
    ],
)
def test_a_missing_split_is_named(tmp_path, present, absent, words):
    draw(tmp_path / present)
    with pytest.raises(ValueError, match=f"split='{absent}': .* {words}"):
        load_images(tmp_path, absent)


def test_several_sizes_are_refused_or_resized(tmp_path):
    draw(tmp_path, labels=["a"], size=(6, 9))
    draw(tmp_path, labels=["b"], size=(20, 10))
    words = r"images of 2 sizes, \(6, 9\) to \(20, 10\); pass size=\(H, W\)"
    with pytest.raises(ValueError, match=words):
        load_images(tmp_path)
    assert load_images(tmp_path, size=(5, 7)).images.shape == (4, 3, 5, 7)


@pytest.mark.parametrize("kept", [0, 500])
def test_an_unreadable_or_truncated_image_is_named(tmp_path, kept):
    draw(tmp_path, size=(40, 40))
    broken = tmp_path / "dog" / "1.png"
    broken.write_bytes(broken.read_bytes()[:kept] or b"no image")
    words = r"dog/1\.png can't be read as an image .*; repair it, or move it out of the folder"
    with pytest.raises(DatasetDamaged, match=words):
        load_images(tmp_path)


@pytest.mark.parametrize("classes", [[], ["empty"]])
def test_folder_without_images_is_named(tmp_path, classes):
    for name in classes:
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="should hold one folder of images a class"):
        load_images(tmp_path)


# --- Unknown names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"name": "cifar"}, "'cifar' is neither one of .*'cifar10', .*'photos', .*folder"),
        ({"name": "no/such/folder"}, "name='no/such/folder' is neither one of"),
        ({"name": "photos", "split": "valid"}, r"split='valid' should be one of \('train', 'test'"),
        ({"default": "photos"}, r"default='photos' should be one of \('cifar10', 'fashion_mnist'"),
    ],
)
def test_unknown_names_are_named(tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        load_images(**arguments, root=tmp_path)
