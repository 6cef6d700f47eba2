"""environment.yml, pyproject.toml and requirements.lock agree, and pages name what is there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def extra(name):
    """What an extra asks for, with what the extras that it names ask for."""
    found = []
    for requirement in map(Requirement, PROJECT["optional-dependencies"][name]):
        if requirement.name == PROJECT["name"]:
            found += [one for inner in sorted(requirement.extras) for one in extra(inner)]
        else:
            found.append(requirement)
    return found


EXTRAS = {name: extra(name) for name in PROJECT["optional-dependencies"]}
MAIN = [Requirement(line) for line in PROJECT["dependencies"]]
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.M)
}

# conda-forge's name for what PyPI calls otherwise.
CONDA_NAMES = {"pytorch-cpu": "torch", "matplotlib-base": "matplotlib", "seaborn-base": "seaborn"}


def conda_requirements():
    """The packages of environment.yml under PyPI's names, those that pip installs included."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lines = [entry for entry in entries if isinstance(entry, str)]
    lines += [
        line
        for entry in entries
        if isinstance(entry, dict)
        for line in entry["pip"]
        if not line.startswith("-")
    ]
    found = {}
    for line in lines:
        name, bounds = re.match(r"([\w-]+)\s*(.*)", line).groups()
        if "=*=" in bounds:  # a build of conda's, not a version
            continue
        bounds = re.sub(r"^=(?=\d)(.*)$", r"==\1.*", bounds)  # conda's "=3.11" is any 3.11
        found[CONDA_NAMES.get(name, name)] = Requirement(CONDA_NAMES.get(name, name) + bounds)
    return found


CONDA = conda_requirements()
NEEDED = [*MAIN, *EXTRAS["companion"]]  # by whoever runs chapters, as in Binder
EVERY = {str(one): one for requirements in (MAIN, *EXTRAS.values()) for one in requirements}


@pytest.mark.parametrize("requirement", EVERY.values(), ids=str)
def test_lock_satisfies_pyproject(requirement):
    assert requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("requirement", NEEDED, ids=str)
def test_environment_has_what_chapters_need_with_the_same_lower_bound(requirement):
    def lower(requirement):
        return [s.version for s in requirement.specifier if s.operator == ">="]

    assert lower(CONDA[requirement.name]) == lower(requirement)


@pytest.mark.parametrize("name", sorted(set(CONDA) - {"python", "pip", "jupyterlab"}))
def test_lock_lies_within_the_environment(name):
    assert CONDA[name].specifier.contains(LOCKED[canonicalize_name(name)])


@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_lock_is_for_the_oldest_python_and_for_colabs(python, system):
    """Each package has one version there, and what is required is among them."""
    where = {"python_full_version": f"{python}.9", "python_version": python, "sys_platform": system}
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)(?: ; (.*?))? \\$", LOCK, re.M)
    names = [
        canonicalize_name(name)
        for name, _, marker in lines
        if not marker or Marker(marker).evaluate(where)
    ]
    assert len(names) == len(set(names))
    required = [*MAIN, *(one for name in ("companion", "book", "test") for one in EXTRAS[name])]
    assert {canonicalize_name(one.name) for one in required} <= set(names)


def test_lock_names_no_place_and_has_a_hash_for_each_package():
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|(?<![\w#])/\w+/", LOCK)
    blocks = re.split(r"\n(?=[\w.-]+==)", LOCK)[1:]
    assert blocks and all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_files_that_a_page_names_are_there(page):
    """From the root, `src/` or a package; `file::test` names a test in it, NN any number."""
    roots = [ROOT, *(ROOT / "src" / name for name in ("", "patchinit", "companion"))]
    for name in re.findall(r"`([\w.*-]*/[\w./*-]*(?:::\w+)?)`", (ROOT / page).read_text()):
        path, _, test = name.partition("::")
        pattern = path.replace("NN-name", "01-*").rstrip("/")
        found = [file for root in roots for file in root.glob(pattern)]
        assert found, f"{page} names {name}"
        assert not test or f"def {test}(" in found[0].read_text(), f"{page} names {name}"


def test_targets_that_files_name_are_in_the_makefile():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    workflows = "\n".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))
    named = set(re.findall(r"run: make ([\w-]+)", workflows))
    for page in ("README.md", "CONTRIBUTING.md", "book/reproduce.md"):
        named |= set(re.findall(r"^make ([a-z-]+)", (ROOT / page).read_text(), re.M))
    assert named and named <= targets
