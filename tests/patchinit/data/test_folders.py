"""Pictures as users have them: depths, colours, layouts, links, and what is left out."""

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from patchinit.data import DatasetDamaged, load_images
from patchinit.data.folders import SkippedFiles

RNG = np.random.default_rng(0)


def folder(root, pictures, **options):
    """Save arrays or Pillow pictures as files, by path below root; returns root."""
    for name, picture in pictures.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture)
        picture.save(path, **options)
    return root


def colour(height=6, width=5):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def grey(height=6, width=5):
    return RNG.integers(0, 256, (height, width), dtype=np.uint8)


# --- Depth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "tiff"])
@pytest.mark.parametrize("size", [None, (6, 5)])
def test_sixteen_bits_are_scaled(tmp_path, ending, size):
    values = RNG.integers(0, 65_536, (6, 5), dtype=np.uint16)
    values[0, 0], values[0, 1] = 0, 65_535
    read = load_images(folder(tmp_path, {f"a/x.{ending}": values}), size=size).images
    assert read.shape == (1, 1, 6, 5)
    exact = torch.from_numpy(values.astype(np.float64)) / 257
    assert (read[0, 0] - exact).abs().max() <= 0.5 and read[0, 0, 0, :2].tolist() == [0, 255]


def test_sixteen_bits_beside_eight(tmp_path):
    shared = grey()
    root = folder(tmp_path, {"a/8.png": shared, "a/16.png": shared.astype(np.uint16) * 257})
    sixteen, eight = load_images(root).images
    assert torch.equal(sixteen, eight)


def test_sixteen_bits_of_colour_are_scaled(tmp_path):
    """Pillow can't write them; the bytes are those of a file that holds one pixel."""
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    pixel = struct.pack(">3H", 0, 32_768, 65_535)
    header = struct.pack(">2I5B", 1, 1, 16, 2, 0, 0, 0)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + pixel))
        + chunk(b"IEND", b"")
    )  # fmt: skip
    assert load_images(tmp_path).images.flatten().tolist() == [0, 128, 255]


def test_twelve_bits_in_sixteen_are_refused(tmp_path):
    """They would come out nearly black, and nothing in the file says what their scale is."""
    values = RNG.integers(0, 4_096, (6, 5), dtype=np.uint16)
    with pytest.raises(DatasetDamaged, match=r"end at \d+: they seem to use 12 bits or fewer"):
        load_images(folder(tmp_path, {"a/x.png": values}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (RNG.integers(0, 70_000, (6, 5), dtype=np.int32), "32 bits"),
        (RNG.random((6, 5), dtype=np.float32), "floating point"),
    ],
)
def test_values_without_a_scale_are_refused(tmp_path, values, words):
    with pytest.raises(DatasetDamaged, match=rf"x.tiff holds values of {words}, which have no"):
        load_images(folder(tmp_path, {"a/x.tiff": values}))


def test_one_bit_is_black_and_white(tmp_path):
    bits = Image.fromarray(grey()).convert("1")
    read = load_images(folder(tmp_path, {"a/x.png": bits})).images
    assert set(read.unique().tolist()) == {0, 255}


# --- Colour --------------------------------------------------------------------------------------


def test_transparent_pixels_are_white(tmp_path):
    pixels = np.concatenate([colour(), np.zeros((6, 5, 1), np.uint8)], axis=2)
    pixels[:3, :, 3] = 255
    read = load_images(folder(tmp_path, {"a/x.png": pixels})).images[0]
    assert torch.equal(read[:, :3], torch.from_numpy(pixels[:3, :, :3]).permute(2, 0, 1))
    assert (read[:, 3:] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_what_is_stored_without_colour_has_one_channel(tmp_path, mode):
    picture = Image.fromarray(grey()).convert(mode)
    assert load_images(folder(tmp_path, {"a/x.png": picture})).images.shape[1] == 1


def test_a_palette_of_colours_has_three_channels(tmp_path):
    picture = Image.fromarray(colour()).convert("P", palette=Image.Palette.ADAPTIVE)
    read = load_images(folder(tmp_path, {"a/x.png": picture})).images
    expected = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    assert torch.equal(read[0], expected)


def test_cmyk_is_colour(tmp_path):
    picture = Image.new("CMYK", (5, 6), (0, 255, 255, 0))
    read = load_images(folder(tmp_path, {"a/x.tiff": picture})).images
    assert read[0, :, 0, 0].tolist() == [255, 0, 0]


# --- Orientation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path, orientation):
    """Stored as Exif's value says, each comes out as the upright one."""
    upright = Image.fromarray(colour(4, 7))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    root = folder(tmp_path, {"a/x.png": stored}, exif=exif)
    read = load_images(root).images[0]
    assert torch.equal(read, torch.from_numpy(np.array(upright)).permute(2, 0, 1))


# --- Memory and unreadable files -----------------------------------------------------------------


def test_one_picture_is_decoded_at_a_time(tmp_path):
    """Sixty of them take 3 MB each when decoded, 180 MB if all were held."""
    big = Image.fromarray(np.zeros((1_000, 1_000, 3), np.uint8))
    picture = folder(tmp_path, {"one/a/x.png": big}) / "one/a/x.png"
    (tmp_path / "many/a").mkdir(parents=True)
    for n in range(60):
        (tmp_path / f"many/a/{n}.png").hardlink_to(picture)
    script = (
        "import resource, sys\n"
        "from patchinit.data import load_images\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "load_images(sys.argv[1] + '/one', size=(8, 8)); before = most()\n"
        "assert load_images(sys.argv[1] + '/many', size=(8, 8)).images.shape == (60, 3, 8, 8)\n"
        "print(most() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert float(done.stdout) < 60, done.stderr


def test_a_picture_too_large_to_be_meant_is_named(tmp_path):
    root = folder(tmp_path, {"a/x.png": colour(), "a/y.png": Image.new("1", (14_000, 13_000))})
    with pytest.raises(DatasetDamaged, match=r"y\.png can't be read as an image \(Image size"):
        load_images(root, size=(8, 8))


@pytest.mark.parametrize("size", [64, (8.0, 8.0), (8,), (0, 8), "8x8", (8, 8, 3)])
def test_impossible_sizes_are_named(tmp_path, size):
    with pytest.raises(ValueError, match="should be a pair"):
        load_images(folder(tmp_path, {"a/x.png": colour()}), size=size)


# --- Layouts -------------------------------------------------------------------------------------


def test_a_label_means_the_same_in_every_split(tmp_path):
    names = ["train/bird", "train/cat", "train/dog", "test/cat", "test/dog", "test/emu"]
    root = folder(tmp_path, {f"{name}/x.png": colour() for name in names})
    train, test = load_images(root, "train"), load_images(root, "test")
    assert train.classes == test.classes == ("bird", "cat", "dog", "emu")
    assert train.labels.tolist() == [0, 1, 2] and test.labels.tolist() == [1, 2, 3]


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", ".cache", "__MACOSX"])
def test_hidden_folders_are_left_out(tmp_path, hidden):
    names = ["train/cat", "train/dog", f"train/{hidden}", f"train/cat/{hidden}", "test/cat", hidden]
    root = folder(tmp_path, {f"{name}/x.png": colour() for name in names})
    read = load_images(root)
    assert read.classes == ("cat", "dog") and read.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("train", "test"),
    [("Train", "Test"), ("training", "testing"), ("TRAINING", "TESTING"),
     ("seg_train/seg_train", "seg_test/seg_test"), ("train_images", "test_images")],
)  # fmt: skip
def test_names_of_splits(tmp_path, train, test):
    names = [f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog", "valid/cat"]
    root = folder(tmp_path, {f"{name}/x.png": colour() for name in names})
    assert load_images(root).classes == ("cat", "dog")
    assert len(load_images(root)) == len(load_images(root, "test")) == 2


def test_a_class_may_be_called_train(tmp_path):
    root = folder(tmp_path, {f"{name}/x.png": colour() for name in ("train", "bus", "car")})
    assert load_images(root).classes == ("bus", "car", "train")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["train/a", "test/a", "bus"], "named like a split, beside 'bus'"),
        (["train/a", "training/a"], "both named like the split 'train'"),
    ],
)
def test_a_clash_of_names_is_said(tmp_path, names, words):
    root = folder(tmp_path, {f"{name}/x.png": colour() for name in names})
    with pytest.raises(ValueError, match=words):
        load_images(root)


@pytest.mark.parametrize(
    "others",
    [["val"], ["test"], ["val", "test", "unlabeled"], ["val/images", "test/images"],
     ["seg_pred/seg_pred"], ["test1"], ["validation"], ["val2017"], ["extra"]],
)  # fmt: skip
def test_a_split_without_classes_is_left_out(tmp_path, others):
    names = ["train/n01", "train/n02/images", *others]
    root = folder(tmp_path, {f"{name}/{n}.JPEG": colour() for name in names for n in (1, 2)})
    read = load_images(root)
    assert read.classes == ("n01", "n02") and read.labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="split='test'"):
        load_images(root, "test")


def test_the_split_without_classes_is_named(tmp_path):
    root = folder(tmp_path, {"train/a/x.png": colour(), "test/x.png": colour()})
    with pytest.raises(ValueError, match="test holds pictures and no class folders"):
        load_images(root, "test")
    root = folder(tmp_path / "both", {"train/x.png": colour(), "val/x.png": colour()})
    with pytest.raises(ValueError, match="'train' and 'val', named like splits, which hold pict"):
        load_images(root)


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_numpys_integers_are_sizes(tmp_path, kind):
    root = folder(tmp_path, {"a/x.png": colour()})
    assert load_images(root, size=(kind(7), kind(9))).images.shape == (1, 3, 7, 9)


def test_pictures_lie_at_any_depth(tmp_path):
    root = folder(tmp_path, {"cat/tom/x.png": colour(), "cat/y.png": colour(), "dog/z.png": grey()})
    assert load_images(root).labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("link", ["cat/up", "cat/self", "all"])
def test_links_that_lead_back_are_not_followed(tmp_path, link):
    root = folder(tmp_path, {f"{name}/x.png": colour() for name in ("cat", "dog")})
    target = root / "cat" if link.endswith("self") else root
    (root / link).symlink_to(target, target_is_directory=True)
    assert load_images(root).labels.tolist() == [0, 1]


def test_other_links_are_followed(tmp_path):
    elsewhere = folder(tmp_path / "elsewhere", {"x.png": colour()})
    root = folder(tmp_path / "own", {"dog/y.png": colour()})
    (root / "cat").symlink_to(elsewhere, target_is_directory=True)
    assert load_images(root).classes == ("cat", "dog")


def test_skipped_files_are_counted(tmp_path):
    root = folder(tmp_path, {"cat/x.png": colour(), "dog/x.png": colour()})
    for name in ("cat/notes.txt", "cat/clip.mp4", "dog/more.csv", "dog/.DS_Store", "dog/Thumbs.db"):
        (root / name).write_text("no picture")
    with pytest.warns(SkippedFiles, match="3 files are no pictures and were left out, .*clip.mp4"):
        read = load_images(root)
    assert len(read) == 2


@pytest.mark.parametrize("ending", ["gif", "jfif", "webp", "bmp", "tif", "ppm", "JPG", "jp2"])
def test_formats(tmp_path, ending):
    kind = {"JFIF": "JPEG", "JPG": "JPEG", "TIF": "TIFF", "JP2": "JPEG2000"}
    data = io.BytesIO()
    Image.fromarray(colour()).save(data, kind.get(ending.upper(), ending.upper()))
    (tmp_path / "a").mkdir()
    (tmp_path / f"a/x.{ending}").write_bytes(data.getvalue())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_images(tmp_path).images.shape == (1, 3, 6, 5)


# --- A folder or a data set ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["photos", "digits", "cifar10", "fashion_mnist"])
def test_a_folder_with_a_data_sets_name(tmp_path, monkeypatch, name):
    folder(tmp_path, {f"{name}/beach/x.png": colour(), f"{name}/city/x.png": colour()})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"is a data set and also a folder.*'./{name}'"):
        load_images(name)
    for path in (f"./{name}", tmp_path / name, type(tmp_path)(name)):
        assert load_images(path).classes == ("beach", "city")


def test_a_folder_without_pictures_is_no_rival(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits/notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert load_images("digits").name == "digits"


def test_the_home_folder_is_written_short(tmp_path, monkeypatch):
    folder(tmp_path / "pictures", {"a/x.png": colour()})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_images("~/pictures")) == 1
