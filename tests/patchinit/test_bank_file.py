"""A bank on disk comes back whole, in equal bytes, or its file is refused by name; as a picture."""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from patchinit import make_filters
from patchinit.filters import Clusters, FilterBank, PrincipalComponents


def made(method="principal_components", n=26, **options):
    images = torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    return make_filters(method, images, (n, 3, 3, 3), generator=generator, **options)


@pytest.mark.parametrize(
    "bank, kind",
    [
        (lambda: made(eps=None, both_signs=True), PrincipalComponents),
        (lambda: made("pca_whitening", eps=0.1, norm=2.0), PrincipalComponents),
        (lambda: made("kmeans", 40, norm="raw"), Clusters),
        (lambda: made("glorot_uniform", 5), FilterBank),
        (
            lambda: FilterBank(torch.ones(2, 4, 1, 7), "mine", layer="a.b", beside=("c",)),
            FilterBank,
        ),
    ],
)
def test_what_is_saved_comes_back(tmp_path, bank, kind):
    bank = bank()
    bank.save(tmp_path / "one.safetensors")
    back = FilterBank.load(tmp_path / "one.safetensors")
    assert type(back) is type(bank) is kind
    for field in dataclasses.fields(bank):
        before, after = getattr(bank, field.name), getattr(back, field.name)
        if isinstance(before, torch.Tensor):
            torch.testing.assert_close(after, before, rtol=0, atol=0)
        else:
            assert after == before, field.name
    back.save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (
        tmp_path / "two.safetensors"
    ).read_bytes()


def test_the_header_names_what_it_was_learned_from(tmp_path):
    made("kmeans", 8, max_patches=300, stride=2).save(tmp_path / "bank")
    data = (tmp_path / "bank").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert list(header["__metadata__"]) == ["bank"]  # several come in an order of their own
    about = json.loads(header["__metadata__"]["bank"])
    assert about["version"] == 1 and about["method"] == "kmeans"
    assert about["learned_from"] == {
        "images": 6, "size": [12, 12], "channels": 3, "patches": 150
    }  # fmt: skip
    assert (about["settings"]["stride"], about["settings"]["max_patches"]) == (2, 300)
    assert header["filters"]["dtype"] == "F32" and header["filters"]["shape"] == [8, 3, 3, 3]
    assert (8 + length) % 8 == 0


@pytest.mark.parametrize(
    "filters",
    [
        torch.rand(3, 3, 2, 5).transpose(2, 3),
        torch.rand(4, 8, 5, 2)[:3, ::2],
        torch.rand(3, 3, 5, 2).to(memory_format=torch.channels_last),
        torch.rand(3, 3, 5, 2, requires_grad=True),
        torch.rand(3, 3, 5, 2, dtype=torch.float64),
        torch.rand(3, 3, 5, 2).half(),
        torch.rand(3, 3, 5, 2).bfloat16(),
    ],
)
def test_any_layout_and_float_type(tmp_path, filters):
    FilterBank(filters, "mine").save(tmp_path / "bank")
    back = FilterBank.load(tmp_path / "bank").filters
    assert back.dtype == torch.float32 and back.is_contiguous()
    assert torch.equal(back, filters.detach().float())


def test_the_package_safetensors_reads_it(tmp_path):
    from safetensors import torch as reader

    bank = made()
    bank.save(tmp_path / "bank")
    found = reader.load_file(tmp_path / "bank")
    assert torch.equal(found["filters"], bank.filters)
    assert torch.equal(found["eigenvalues"], bank.eigenvalues)


def spoiled(data, **changes):
    """The file with another header entry for the filters, or another text about the bank."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    about = json.loads(header["__metadata__"]["bank"]) | changes.pop("about", {})
    header["__metadata__"]["bank"] = json.dumps(about)
    header["filters"] |= changes
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + data[8 + length :]


@pytest.mark.parametrize(
    "spoil, why",
    [
        (lambda data: b"", "safetensors"),
        (lambda data: b"\x89PNG" + bytes(200), "safetensors"),
        (lambda data: data[:100], "cut short"),
        (lambda data: data[:-4], "cut short"),
        (lambda data: data + b"0000", "safetensors"),
        (lambda data: (2).to_bytes(8, "little") + b"{}", "'bank'"),
        (lambda data: (4).to_bytes(8, "little") + b"[{}]", "safetensors"),
        (lambda data: spoiled(data, about={"version": 2}), "version 2"),
        (lambda data: spoiled(data, about={"class": "Other"}), "Other"),
        (lambda data: spoiled(data, about={"colour": 1}), "colour"),
        (lambda data: spoiled(data, about={"method": 3}), "method"),
        (lambda data: spoiled(data, dtype="I32"), "int32"),
        (lambda data: spoiled(data, shape=[8, 27]), "shape"),
        (lambda data: spoiled(data, shape=[8, 3, 3, 2]), "safetensors"),
        (lambda data: spoiled(data, dtype="BF16"), "safetensors"),
        (lambda data: data[:-4] + b"\x00\x00\xc0\x7f", "NaN"),
    ],
)
def test_another_file_is_refused(tmp_path, spoil, why):
    made("glorot_uniform", 8).save(tmp_path / "bank")
    path = tmp_path / "other"
    path.write_bytes(spoil((tmp_path / "bank").read_bytes()))
    with pytest.raises(ValueError, match=why) as caught:
        FilterBank.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "bank",
    [
        FilterBank(torch.full((1, 1, 2, 2), torch.nan), "mine"),
        FilterBank(torch.ones(3, 9), "mine"),
        FilterBank(torch.ones(1, 1, 2, 2), "mine", settings={"f": print}),
        FilterBank(torch.ones(1, 1, 2, 2), None),
        FilterBank(torch.ones(1, 1, 2, 2), "mine", parts=("mine",)),
        FilterBank(torch.ones(1, 1, 2, 2), "mine", parts=1),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, bank):
    made("glorot_uniform", 8).save(tmp_path / "bank")
    before = (tmp_path / "bank").read_bytes()
    with pytest.raises(ValueError):
        bank.save(tmp_path / "bank")
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]
    assert (tmp_path / "bank").read_bytes() == before


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    made("glorot_uniform", 8).save(tmp_path / "bank")
    before = (tmp_path / "bank").read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        made("glorot_uniform", 9).save(tmp_path / "bank")
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]
    assert (tmp_path / "bank").read_bytes() == before


@pytest.mark.parametrize("place", ["missing/bank", "folder", "file/bank"])
def test_a_place_that_takes_no_file_is_named(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:
        made("glorot_uniform", 8).save(tmp_path / place)
    assert caught.value.filename == str(tmp_path / place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


# --- As a picture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels, n_pictures", [(1, 20), (3, 20), (2, 40), (5, 100)])
def test_show(tmp_path, channels, n_pictures):
    filters = torch.rand(20, channels, 3, 4) - 0.5
    bank = FilterBank(filters, "mine")
    figure = bank.show(n_cols=8)
    (ax,) = figure.axes
    assert len(ax.images) == n_pictures
    lines = 3 * (1 if channels in (1, 3) else channels)
    assert ax.get_ylim() == (0, lines) and ax.get_xlim() == (0, 8)
    figure.savefig(tmp_path / "bank.png")
    assert (tmp_path / "bank.png").stat().st_size > 1000
    # The last line's first picture is drawn first: the last channel of the 17th filter.
    largest = filters.abs().max()
    drawn = torch.as_tensor(ax.images[0].get_array())
    if channels == 3:
        expected = ((filters[16] / largest + 1) / 2).permute(1, 2, 0)
    else:
        expected = filters[16, -1] / largest
    torch.testing.assert_close(drawn.to(expected), expected)


def test_show_touches_no_global_state():
    code = (
        "import sys, torch, patchinit.filters as f\n"
        "assert 'matplotlib' not in sys.modules\n"
        "f.FilterBank(torch.zeros(1, 1, 2, 2), 'mine').show()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "patchinit.filters.picture", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"patchinit\[show\]"):
        FilterBank(torch.ones(1, 1, 2, 2), "mine").show()


def test_show_of_half_precision():
    filters = torch.rand(4, 1, 3, 3)
    for dtype in (torch.float16, torch.bfloat16):
        (ax,) = FilterBank(filters.to(dtype), "mine").show().axes
        shown = filters.to(dtype).float()
        expected = shown[0, 0] / shown.abs().max()
        drawn = torch.as_tensor(ax.images[0].get_array()).float()
        torch.testing.assert_close(drawn, expected)


@pytest.mark.parametrize(
    "option",
    [{"n_cols": 0}, {"n_cols": 2.5}, {"scale": 0.0}, {"scale": -1}],
)
def test_options_out_of_range(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        FilterBank(torch.ones(1, 1, 2, 2), "mine").show(**option)
