"""Whether the verdicts are the same on another processor: python -m tools.portable [CHAPTER ...]

Executes the chapters with the processor's instruction set held down and one thread. Numbers may
differ from the built book's in their last digits; verdicts may not.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from companion.pages.extension.kept_values import kept_in
from tools.environment import adopt
from tools.held_down import environment

ROOT = Path(__file__).parents[1]
_VERDICT = re.compile(r"claim_\d+_verdict")


def differences(one: dict[str, str], other: dict[str, str]) -> tuple[list[str], list[str]]:
    """Verdicts that differ, as text, and names of the other values that do."""
    names = sorted(one.keys() | other.keys())
    differing = [name for name in names if one.get(name) != other.get(name)]
    verdicts = list(filter(_VERDICT.fullmatch, differing))
    texts = [f"{name}: {one.get(name)} here, {other.get(name)} held down" for name in verdicts]
    return texts, [name for name in differing if name not in verdicts]


def main() -> int:
    chosen = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    adopt()
    # Data and offline mode are as for the book.
    held_down = environment(held_down=True, threads=1) | {"PATCHINIT_OFFLINE": "1"}
    n_verdicts, all_differing = 0, []
    for chapter in chosen:
        built = ROOT / "_build/executed/notebooks" / chapter.name
        if not built.exists():
            sys.exit(f"{built.relative_to(ROOT)} is not there: make book first")
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / chapter.name
            command = [sys.executable, "-m", "tools.execute", str(chapter), str(target)]
            subprocess.run(command, cwd=ROOT, env=held_down, check=True, stdout=subprocess.DEVNULL)
            texts = [path.read_text(encoding="utf-8") for path in (built, target)]
        one, other = (kept_in(json.loads(text)) for text in texts)
        verdicts, rest = differences(one, other)
        n_verdicts += sum(bool(_VERDICT.fullmatch(name)) for name in one)
        all_differing += verdicts
        counts = f"{len(rest)} differ in some digit, {len(verdicts)} verdicts differ"
        print(f"{chapter.stem}: {len(one)} values, {counts}", flush=True)
        for text in [*verdicts, *rest]:
            print(f"  {text}")
    print(f"{n_verdicts} verdicts, {len(all_differing)} differ")
    return 1 if all_differing else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
