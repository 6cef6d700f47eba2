"""What each chapter imports: it is executed again when one of these files changes."""

import ast
import json
import re
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

SOURCE = Path("src")
READS_RESULTS = SOURCE / "companion/evidence/results.py"
OURS = {"patchinit", "companion"}
BESIDE = {".css", ".html", ".js"}  # what a module of our own reads from its folder


@cache  # for all chapters
def imported(code: str, package: str = "") -> frozenset[str]:
    """Dotted names in our packages that a module of `package` imports, but for types alone."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(code)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            found |= {f"{module}.{alias.name}" for alias in node.names}
        waiting += ast.iter_child_nodes(node)
    return frozenset(name for name in found if name.split(".")[0] in OURS)


def files_of(name: str) -> set[Path]:
    """What is read when a dotted name is imported, with scripts, styles and pages beside it."""
    found, place = set(), SOURCE.joinpath(*name.split("."))
    while place != SOURCE:
        found |= {place.with_suffix(suffix) for suffix in (".py", *BESIDE)}
        # Those of a module's name come with the module, the others with the package.
        beside = {path for path in place.glob("*") if path.suffix in BESIDE}
        found |= {path for path in beside if not path.with_suffix(".py").exists()}
        found.add(place / "__init__.py")
        place = place.parent
    return {path for path in found if path.is_file()}


def needed(code: str) -> set[Path]:
    """Every file of ours that `code` imports, itself or through others."""
    found: set[Path] = set()
    names = set(waiting := list(imported(code)))
    while waiting:
        for path in files_of(waiting.pop()) - found:
            found.add(path)
            if path.suffix == ".py":
                package = ".".join(path.parent.relative_to(SOURCE).parts)
                others = imported(path.read_text(encoding="utf-8"), package) - names
                names |= others
                waiting += others
    return found


def code_of(notebook: Path) -> str:
    """All code of a notebook, without its magic lines."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return re.sub(r"^\s*[%!].*", "", code, flags=re.MULTILINE)
