"""Who may import whom: the rooms stand over one another, and the method needs little."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import patchinit

PACKAGE = Path(patchinit.__file__).parent
#: From the ground up: a room imports itself and what its line names, nothing else of the package.
MAY_IMPORT = {
    "patches": set(),
    "moments": {"patches"},
    "layers": {"patches"},
    "filters": {"patches", "moments"},
    "init": {"patches", "moments", "layers", "filters"},
    "__init__": {"init", "filters"},
    "needs": set(),
    "data": {"needs"},
    "experiments": {"needs", "patches", "moments", "layers", "filters", "init", "data"},
    "evidence": {"needs", "patches", "moments", "filters", "data", "experiments"},
    "chapters": {"needs", "patches", "moments", "filters", "data", "experiments", "evidence"},
    "__main__": {"needs", "experiments"},
}
#: Packages that stay in one room. scipy and statsmodels in the method would slow every import.
ONLY_IN = {
    "matplotlib": ("chapters/",),
    "seaborn": ("chapters/",),
    "myst_nb": ("chapters/",),
    "torchvision": ("data/",),
    "PIL": ("data/",),
    "scipy": ("evidence/",),
    "statsmodels": ("evidence/",),
    "ray": ("experiments/on_ray.py",),
    "tqdm": ("data/", "experiments/"),
    "filelock": ("experiments/",),
    "kmedoids": ("filters/clusters.py",),
    "sklearn": ("filters/", "data/"),
}


def imports(source: str, path: str) -> set[str]:
    """What a module of the package imports, wherever it says so: "filters.bank", "torch.nn"."""
    package = path.removesuffix(".py").split("/")[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join(
                [*(["patchinit", *above] if node.level else []), *filter(None, [node.module])]
            )
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def broken(source: str, path: str) -> list[str]:
    """Every import of a module that the contract forbids."""
    room = path.removesuffix(".py").split("/")[0]
    wrong = []
    for name in sorted(imports(source, path)):
        first, *rest = name.split(".")
        if first == "patchinit":
            if rest[0] != room and rest[0] not in MAY_IMPORT[room]:
                wrong.append(f"{path} imports {name}")
        elif first in ONLY_IN and not path.startswith(ONLY_IN[first]):
            wrong.append(f"{path} imports {name}")
    return wrong


@pytest.mark.parametrize(
    "path", sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))
)
def test_imports_run_one_way(path):
    assert not broken((PACKAGE / path).read_text(), path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("patches.py", "from .moments import PatchMoments"),
        ("filters/bank.py", "from ..experiments.settings import Settings"),
        ("evidence/results.py", "from ..chapters import style"),
        ("evidence/verdicts/claims.py", "from ...chapters.style import use_style"),
        ("data/images.py", "def f():\n    from ..patches import check_images"),
        ("filters/measures.py", "import scipy.stats"),
        ("experiments/local.py", "def f():\n    import ray"),
        ("experiments/run.py", "import patchinit.evidence.results"),
    ],
)
def test_the_contract_can_be_broken(path, source):
    assert len(broken(source, path)) == 1


def test_the_method_alone_is_light():
    """`import patchinit` is what a user's own script pays for."""
    script = "import sys, patchinit; print(*sorted(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {"torchvision", "matplotlib", "scipy.stats", "statsmodels", "seaborn", "PIL", "ray"}
    assert not heavy & set(said.stdout.split())
