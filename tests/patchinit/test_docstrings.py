"""Every public name of the method has an example; test_chapters.py runs them."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

API = Path(__file__).parents[2] / "book/api.md"
#: Modules, and packages with all that is in them.
PARTS = [f"patchinit.{part}" for part in ("patches", "moments", "init", "filters", "data")]


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
    value = getattr(importlib.import_module(module), name)
    return bool(doctest.DocTestParser().get_examples(inspect.getdoc(value) or ""))


@pytest.mark.parametrize("package", ["patchinit", "patchinit.filters", "patchinit.data"])
def test_every_name_in_all_has_an_example(package):
    """A constant has one where an example of its package uses it."""
    tests = [
        test
        for module in modules(package)
        if module not in ("patchinit.__main__", "patchinit.experiments")
        for test in doctest.DocTestFinder().find(importlib.import_module(module))
    ]
    code = "".join(example.source for test in tests for example in test.examples)
    missing = [
        name
        for name in importlib.import_module(package).__all__
        if not (has_example(package, name) or re.search(rf"\b{name}\b", code) and name.isupper())
    ]
    assert not missing, f"no example (>>>) of {', '.join(missing)}"


@pytest.mark.parametrize("part", PARTS)
def test_every_public_method_has_an_example(part):
    """Of the classes that an API page shows, but for those that its class has from elsewhere."""
    page = API.read_text(encoding="utf-8")
    missing = [
        f"{module}.{name}.{method}"
        for module in modules(part)
        for name in documented(page, module)
        for method, value in vars(getattr(importlib.import_module(module), name)).items()
        if inspect.isclass(getattr(importlib.import_module(module), name))
        and (inspect.isfunction(value) or isinstance(value, staticmethod | classmethod))
        and not method.startswith("_")
        and not doctest.DocTestParser().get_examples(inspect.getdoc(value) or "")
    ]
    assert not missing, f"no example (>>>) in the docstring of {', '.join(missing)}"


@pytest.mark.parametrize("part", PARTS)
def test_every_public_name_has_an_example(part):
    page = API.read_text(encoding="utf-8")
    shown = [(module, name) for module in modules(part) for name in documented(page, module)]
    assert shown, f"book/api.md shows nothing of {part}"
    missing = [".".join(names) for names in shown if not has_example(*names)]
    assert not missing, f"no example (>>>) in the docstring of {', '.join(missing)}"


def test_a_missing_example_would_be_found():
    page = ".. automodule:: patchinit.layers\n   :members:\n"
    assert "input_of" in documented(page, "patchinit.layers")
    assert "nn" not in documented(page, "patchinit.layers")
    assert not has_example("patchinit.layers", "input_of")
    only_one = page.replace("members:", "members: input_of")
    assert documented(only_one, "patchinit.layers") == ["input_of"]
