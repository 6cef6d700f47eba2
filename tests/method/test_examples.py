"""The code that README.md and book/use-it.md show does what they say."""

import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

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


def test_readme():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3))
    before = model[0].weight.detach().clone()
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    exec(compile(code_block("README.md"), "README.md", "exec"), {"model": model, "images": images})
    assert not torch.equal(model[0].weight, before)
