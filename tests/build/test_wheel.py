"""The wheel: the method alone, which runs where there is nothing else than what it asks for."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import patchinit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Hides what else is installed here.
HIDING = """
import sys
from importlib.machinery import PathFinder
class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, *where):
        return None if name in {hidden} else super().find_spec(name, *where)
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""


def needed(*names):
    """Distributions that these packages need, with those that they need in turn."""
    found, waiting = set(), list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        with contextlib.suppress(PackageNotFoundError):  # of another system
            lines = map(Requirement, requires(name) or ())
            waiting += [r.name for r in lines if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: what older builds left in this folder would come along."""
    folder = tmp_path_factory.mktemp("clone")
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    command = ["build", "--wheel", "--quiet", "--offline", "--no-build-isolation", "--python"]
    _uv(*command, sys.executable, "--out-dir", folder / "dist", folder)
    (made,) = (folder / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Runs Python where the wheel is installed, and nothing else is than it needs."""
    folder = tmp_path_factory.mktemp("installed")
    how = ["pip", "install", "--quiet", "--offline", "--no-deps", "--python", sys.executable]
    _uv(*how, "--target", folder, wheel)
    kept = needed("torch", "numpy", "scikit-learn")
    hidden = {
        name
        for name, owners in packages_distributions().items()
        if name != "patchinit" and not kept & {canonicalize_name(owner) for owner in owners}
    }
    code = HIDING.replace("{hidden}", repr(hidden | {"companion"}))
    (folder / "sitecustomize.py").write_text(code)

    def of(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(folder), "PYTHONWARNINGS": "error"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return of


def _uv(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_it_holds(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
        (metadata,) = [name for name in file.namelist() if name.endswith("METADATA")]
        fields = HeaderParser().parsestr(file.read(metadata).decode())
    assert names == {
        path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/patchinit").rglob("*.py")
    }
    asked = {line for line in fields.get_all("Requires-Dist") if "extra ==" not in line}
    assert asked == set(PROJECT["dependencies"])


def test_one_version_everywhere(wheel):
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M)[1]
    assert cited == patchinit.__version__ == PROJECT["version"] == wheel.name.split("-")[1]


def test_the_lines_of_the_readme(run):
    code, _ = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = run(
        "-c",
        "import torch\n"
        "model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())\n"
        "before, images = model[0].weight.detach().clone(), torch.rand(20, 3, 9, 9)\n"
        f"{code}\nassert not torch.equal(before, model[0].weight)",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["companion", "matplotlib", "torchvision", "yaml"])
def test_nothing_else_is_there(run, name):
    assert f"No module named '{name}'" in run("-c", f"import {name}").stderr


WHERE = """
import contextlib, io, runpy, sys
for start in (
    lambda: runpy.run_module("patchinit", run_name="__main__", alter_sys=True),
    lambda: runpy.run_path(sys.argv[0], run_name="__main__"),
):
    sys.argv[1:] = ["run", "paper"]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            start()
        except SystemExit as ended:
            print(ended.code, "python -m companion" in said.getvalue())
    sys.modules.pop("patchinit.__main__", None)
    sys.argv[0] = SCRIPT
try:
    import patchinit.experiments
except ImportError as error:
    print(error)
"""


def test_where_the_training_runs_went(run):
    """By either command, and where somebody imports them; one process tries all."""
    script = f"{'bin' if os.name == 'posix' else 'Scripts'}/patchinit"
    done = run("-c", WHERE.replace("SCRIPT", repr(script)))
    assert done.stdout.startswith("2 True\n2 True\n"), done.stdout + done.stderr
    assert "patchinit.experiments is companion.runs" in done.stdout
