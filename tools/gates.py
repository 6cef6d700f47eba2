"""Run the gates: python -m tools.gates [stored]

`stored` looks only at the notebooks as they are kept, before anything is executed. Otherwise the
executed chapters and the HTML are looked at as well, as far as they are built.
"""

import sys
from pathlib import Path

import nbformat
import yaml

from tools import notebook_gates, page_gates

EXECUTED = Path("_build/executed")
SITE = Path("_build/html")


def documents(root: Path = Path(".")) -> list[str]:
    """The documents of the book at `root`, in the order of its `_toc.yml`, without suffix."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = [toc, *toc.get("parts", [])]
    return [toc["root"], *(c["file"] for part in parts for c in part.get("chapters", []))]


def chapters_of(root: Path = Path(".")) -> list[Path]:
    """Those of them that are notebooks."""
    return [Path(f"{name}.ipynb") for name in documents(root) if name.startswith("notebooks/")]


def notebook_problems(paths: list[Path], gates: tuple) -> list[str]:
    found = []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        found += [f"{path}: {problem}" for gate in gates for problem in gate(notebook)]
    return found


def problems(root: Path, *, stored_only: bool = False) -> list[str]:
    """Everything that keeps the book at `root` from being published."""
    chapters = chapters_of(root)
    lost = [path for path in chapters if not (root / path).is_file()]
    found = [f"{path}: listed in _toc.yml, is not there" for path in lost]
    stored = sorted((root / "notebooks").glob("*.ipynb"))
    found += notebook_problems(stored, notebook_gates.STORED)
    stray = [path for path in stored if path.relative_to(root) not in chapters]
    found += [f"{path}: not listed in _toc.yml" for path in stray]
    if stored_only:
        return found
    if not (root / SITE).is_dir():
        print("The book is not built: only the stored notebooks are looked at (see make book)")
        return found
    executed = [root / EXECUTED / path for path in chapters]
    found += [f"{path}: missing" for path in executed if not path.is_file()]
    there = [path for path in executed if path.is_file()]
    found += notebook_problems(there, notebook_gates.EXECUTED)
    found += [problem for gate in page_gates.SITE for problem in gate(root / SITE)]
    return found


def main() -> None:
    found = problems(Path("."), stored_only="stored" in sys.argv[1:])
    if found:
        sys.exit("\n  ".join(["The book has problems:", *found]))
    print("Gates: passed")


if __name__ == "__main__":
    main()
