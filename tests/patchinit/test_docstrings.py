"""Every public name that book/api*.md show has an example, which test_chapters.py runs."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import companion
import patchinit

API = sorted((Path(__file__).parents[2] / "book").glob("api*.md"))
#: Modules, and packages with all that is in them.
PARTS = (
    "patchinit.patches",
    "patchinit.moments",
    "patchinit.init",
    "patchinit.filters",
    "patchinit.data",
    "companion.evidence",
    "companion.pages",
)


def modules(part: str) -> list[str]:
    """A module, or a package and every module in it."""
    path = getattr(importlib.import_module(part), "__path__", [])
    return [part, *(found.name for found in pkgutil.walk_packages(path, f"{part}."))]


def documented(page: str, module: str) -> list[str]:
    """Public functions and classes of a module that the page shows."""
    shown = re.search(rf"automodule:: {re.escape(module)}\n +:members:(.*)", page)
    if shown is None:
        return []
    found = {
        name: value
        for name, value in vars(importlib.import_module(module)).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module
    }
    return [
        name
        for name in shown[1].replace(",", " ").split() or found
        if inspect.isfunction(found[name]) or inspect.isclass(found[name])
    ]


def has_example(module: str, name: str) -> bool:
    """Exceptions need none: they are raised, not called."""
    value = getattr(importlib.import_module(module), name)
    exempt = inspect.isclass(value) and issubclass(value, BaseException)
    return exempt or bool(doctest.DocTestParser().get_examples(inspect.getdoc(value) or ""))


@pytest.mark.parametrize("part", PARTS)
def test_every_public_name_has_an_example(part):
    page = "\n".join(path.read_text(encoding="utf-8") for path in API)
    shown = [(module, name) for module in modules(part) for name in documented(page, module)]
    assert shown, f"book/api*.md show nothing of {part}"
    missing = [".".join(names) for names in shown if not has_example(*names)]
    assert not missing, f"no example (>>>) in the docstring of {', '.join(missing)}"


def test_a_missing_example_would_be_found():
    page = ".. automodule:: patchinit.layers\n   :members:\n"
    assert "input_of" in documented(page, "patchinit.layers")
    assert "nn" not in documented(page, "patchinit.layers")
    assert not has_example("patchinit.layers", "input_of")
    only_one = page.replace("members:", "members: input_of")
    assert documented(only_one, "patchinit.layers") == ["input_of"]


def test_comments_of_fields_are_not_read_as_types():
    """Sphinx takes "word: text" in the comment of a dataclass's field for a type and its text."""
    wrong = []
    packages = (Path(package.__file__).parent for package in (patchinit, companion))
    for path in sorted(path for package in packages for path in package.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = re.match(r" {4}(\w+: .*)?#: (.*)", line)
            if found and re.search(r"\w: ", found[2]):
                wrong.append(f"{path.name}:{number}: {found[2]}")
    assert not wrong, "\n".join(wrong)
