"""What a room lacks is said by name, with the extra that brings it; the names are pyproject's."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from patchinit.needs import NEEDS, NotInstalled, require

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
#: Imported where it is used: every method but one does without.
SAYS_SO_ITSELF = {"kmedoids"}


def extra(name: str) -> set[str]:
    """Distributions that an extra brings, with those of the extras in it."""
    found = set()
    for one in map(Requirement, PROJECT["optional-dependencies"][name]):
        inner = [extra(each) for each in one.extras] if one.name == PROJECT["name"] else []
        found |= set().union(*inner) if inner else {canonicalize_name(one.name)}
    return found


@pytest.mark.parametrize("room", NEEDS)
def test_a_room_needs_what_its_extra_brings(room):
    distributions = packages_distributions()
    needed = {canonicalize_name(distributions[name][0]) for name in NEEDS[room]}
    assert needed == extra(room) - SAYS_SO_ITSELF


@pytest.mark.parametrize(("room", "name"), [(room, name) for room in NEEDS for name in NEEDS[room]])
def test_what_is_missing_is_named(room, name, monkeypatch):
    require(room)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotInstalled) as error:
        require(room)
    assert str(error.value) == (
        f"patchinit.{room} needs {name}, which is not installed; pip install 'patchinit[{room}]'"
    )


def test_all_that_is_missing_is_named_at_once(monkeypatch):
    for name in NEEDS["data"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotInstalled, match="needs torchvision, PIL and tqdm, which are not"):
        require("data")


def python(script: str) -> subprocess.CompletedProcess:
    """A new interpreter without the packages of the extras."""
    hidden = sorted({name for names in NEEDS.values() for name in names} - {"scipy"})
    start = f"import sys\nsys.modules |= dict.fromkeys({hidden})\n"  # scikit-learn brings scipy
    return subprocess.run([sys.executable, "-c", start + script], capture_output=True, text=True)


def test_the_base_install_has_the_method_and_no_more():
    """Each room says what it needs before an import of its own fails."""
    done = python(f"""
import patchinit
for room in {list(NEEDS)}:
    try:
        __import__(f"patchinit.{{room}}")
    except ImportError as error:
        print(error)
""")
    said = done.stdout.splitlines()
    assert done.returncode == 0 and len(said) == len(NEEDS), done.stderr
    for room, line in zip(NEEDS, said, strict=True):
        assert line.startswith(f"patchinit.{room} needs torchvision, PIL")
        assert line.endswith(f"; pip install 'patchinit[{room}]'")


def test_the_command_says_it_in_a_line():
    """As the script does that pip writes for the entry point."""
    module, function = PROJECT["scripts"]["patchinit"].split(":")
    done = python(f"""
from {module} import {function}
sys.argv = ["patchinit", "--help"]
sys.exit({function}())
""")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("patchinit: patchinit.experiments needs torchvision")
