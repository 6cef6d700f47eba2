"""Imports run one way, and `make lint` notices where one does not."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
BACKWARDS = {
    "patchinit/layers.py": "import companion.claims",
    "patchinit/patches.py": "from . import init",
    "companion/pages/style.py": "from ..runs import settings",
    "patchinit/moments.py": "import pandas",
}


def test_every_folder_of_modules_is_a_package():
    """import-linter does not look into a folder without `__init__.py`."""
    folders = {path.parent for path in (ROOT / "src").rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_every_contract_can_be_broken(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name, line in BACKWARDS.items():
        with (tmp_path / "src" / name).open("a") as file:
            file.write(f"\n{line}\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", ROOT / "pyproject.toml"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for contract in contracts["contracts"]:
        assert f"{contract['name']} BROKEN" in " ".join(done.stdout.split()), done.stdout
