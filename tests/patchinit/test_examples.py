"""The code that README.md and book/use-it.md show does what they say."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from patchinit import initialize_first_layer_, make_filters
from patchinit.filters import principal_components
from patchinit.patches import extract_patches

ROOT = Path(__file__).parents[2]


def code_block(page: str) -> str:
    """The page's first block of Python."""
    return re.search(
        r"```(?:\{code-block\} )?python\n(?::name:[^\n]*\n\n)?(.*?)```",
        (ROOT / page).read_text(),
        re.S,
    )[1]


def test_own_network(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        folder = tmp_path / "path/to/photos" / label
        folder.mkdir(parents=True)
        for index in range(60):
            size = tuple(int(side) for side in rng.integers(70, 90, 2))
            pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code_block("book/use-it.md"), "use-it.md", "exec"), names)
    weight = names["model"].conv1.weight.detach()
    cosines = (
        torch.nn.functional.normalize(weight.flatten(1), dim=1) @ names["bank"].filters.flatten(1).T
    )
    norm = names["bank"].filters[0].norm()
    torch.testing.assert_close(cosines, torch.eye(64) * norm, atol=1e-5, rtol=1e-4)
    assert "principal_components (64, 3, 7, 7)" in capsys.readouterr().out
    assert len(code_block("book/use-it.md").strip().splitlines()) <= 12


def test_a_bank_is_kept(tmp_path, monkeypatch):
    page = (ROOT / "book/use-it.md").read_text()
    (code,) = re.findall(
        r"```python\n(from patchinit.filters import FilterBank\n.*?)```", page, re.S
    )
    monkeypatch.chdir(tmp_path)
    model = torch.nn.Module()
    model.conv1 = torch.nn.Conv2d(5, 4, (2, 3))
    bank = make_filters("cosine_basis", torch.empty(0), (4, 5, 2, 3))
    names = {"model": model, "bank": bank}
    exec(compile(code, "use-it.md", "exec"), names)
    assert torch.equal(model.conv1.weight, bank.filters) and Path("bank.png").exists()
    assert names["keras_kernel"].shape == (2, 3, 5, 4)
    assert names["keras_kernel"][1, 2, 4, 3] == bank.filters[3, 4, 1, 2]


def test_readme():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3))
    before = model[0].weight.detach().clone()
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    exec(compile(code_block("README.md"), "README.md", "exec"), {"model": model, "images": images})
    assert not torch.equal(model[0].weight, before)


def test_the_eight_lines_of_the_readme_are_the_method(images):
    _, code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    lines = [line for line in code.splitlines() if line and not line.startswith("import")]
    assert len(lines) == 8 and "patchinit" not in code
    images[0, :, :8] = 0.5  # some patches are constant
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3))
    exec(compile(code, "README.md", "exec"), {"model": model, "images": images})
    expected = principal_components(extract_patches(images, 3), 16).filters
    cosines = (model[0].weight.detach() * expected).flatten(1).sum(1)
    torch.testing.assert_close(cosines.abs(), torch.ones(16), atol=1e-4, rtol=0)


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table after a heading, without its head."""
    lines = (ROOT / page).read_text().split(heading)[1].split("\n|", 3)[3].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.split("\n|")]


NETWORKS = {
    name: row[1:]
    for row in rows_of("book/use-it.md", "## Networks of torchvision")
    for name in re.findall("`(.+?)`", row[0])
}


def test_the_table_holds_the_common_networks():
    assert len(NETWORKS) >= 18
    assert {"resnet18", "vgg16", "mobilenet_v2", "convnext_tiny", "inception_v3"} <= set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_torchvision(name):
    layer, kernel, filters, dimensions, components = NETWORKS[name]
    # Theirs takes long, and wants scipy.
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **options)
    first = model.get_submodule(layer.strip("`"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert "×".join(map(str, first.kernel_size)) == kernel
    assert (len(first.weight), first.weight[0].numel()) == (int(filters), int(dimensions))
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    too_few = len(first.weight) - first.weight[0].numel()
    if too_few <= 0:
        assert components == "suffice"
        method = "principal_components"
    else:
        assert components == f"{too_few} too few"
        method = "random_patches"
        with pytest.raises(ValueError, match=f"n_filters={filters} .* 1 and {dimensions}"):
            initialize_first_layer_(model, images, norm="keep")
    bank = initialize_first_layer_(model, images, method, norm="keep", max_patches=2000)
    assert torch.equal(first.weight, bank.filters)
    changed = [
        key for key, value in model.state_dict().items() if not torch.equal(value, before[key])
    ]
    assert {key.rpartition(".")[0] for key in changed} == {layer.strip("`")}


def test_components_for_some_of_the_filters():
    page = (ROOT / "book/use-it.md").read_text()
    code = re.search(r"```python\n(from torchvision.models import vgg11\n.*?)```", page, re.S)[1]
    names = {"images": torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))}
    exec(compile(code, "use-it.md", "exec"), names)
    weight = names["model"].features[0].weight.detach().flatten(1)
    norm = weight[0].norm()
    torch.testing.assert_close(
        weight[:27] @ weight[:27].T, norm**2 * torch.eye(27), atol=1e-5, rtol=1e-4
    )
    assert weight.norm(dim=1).min() > 0.3 * norm
    assert f"# {names['bank'].parts}" in page
