"""Run the gates: python -m tools.gates [stored | anew]

`stored` looks only at the notebooks as they are kept, before anything is executed. Otherwise the
executed chapters and the HTML are looked at as well, as far as they are built, the pages in a
browser too, and what the book costs is printed. What was found on pages that have not changed is
kept from the last time, but not by `anew`.
"""

import json
import sys
from pathlib import Path

import yaml

from tools import notebook_gates, page_gates
from tools.files import write_whole

EXECUTED = Path("_build/executed")
SITE = Path("_build/html")
FACTS = Path("_build/facts.json")  # on the pages


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
        notebook = json.loads(path.read_text(encoding="utf-8"))
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
    return found + page_gates.problems(root / SITE)


def main() -> None:
    stored_only, anew = "stored" in sys.argv[1:], "anew" in sys.argv[1:]
    if FACTS.is_file() and not (stored_only or anew):
        page_gates.KNOWN.update(json.loads(FACTS.read_text(encoding="utf-8")))
    found = problems(Path("."), stored_only=stored_only)
    if SITE.is_dir() and not stored_only:
        kept = {page_gates.mark(page): page_gates.facts(page) for page in page_gates.pages(SITE)}
        write_whole(FACTS, json.dumps(kept))
    if found:
        sys.exit("\n  ".join(["The book has problems:", *found]))
    print("Gates: passed", flush=True)
    if SITE.is_dir() and not stored_only:
        from tools import browser_gates, report  # which import this module

        browser_gates.run(SITE, anew=anew)
        report.run()


if __name__ == "__main__":
    main()
