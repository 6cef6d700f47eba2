"""Turn the executed chapters and the prose into HTML: python -m tools.pages [--builder linkcheck]

The tree below _build/stage mirrors the repository, as launch links are made from a page's path. An
edit of one page costs one page, since Sphinx keeps what it has read.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from shutil import rmtree

import yaml

from tools.environment import adopt
from tools.files import one_at_a_time, sync, write_if_changed
from tools.gates import EXECUTED, SITE, chapters_of

BUILD = Path("_build")
STAGE = BUILD / "stage"
CONFIG = BUILD / "config.yml"
DOCTREES = BUILD / ".doctrees"
UNFINISHED = BUILD / ".unfinished"
# What Sphinx reads it needs to the end: to look often for what is not takes it a fifth longer.
JUPYTER_BOOK = (
    "import gc; gc.set_threshold(200_000, 20, 50); from jupyter_book.cli.main import main; main()"
)


def stage() -> None:
    """Mirror prose and executed chapters into the stage, with execution turned off."""
    config = yaml.safe_load(Path("_config.yml").read_text(encoding="utf-8"))
    config["execute"]["execute_notebooks"] = "off"
    write_if_changed(CONFIG, yaml.safe_dump(config, sort_keys=False))
    wanted = {Path("_config.yml"): CONFIG, Path("_toc.yml"): Path("_toc.yml")}
    prose = list(Path("book").rglob("*"))
    prose.append(Path("results/looks.csv"))  # book/rules.md shows it
    prose = [path for path in prose if path.is_file()]
    wanted |= {path: path for path in prose if "__pycache__" not in path.parts}
    wanted |= {path: EXECUTED / path for path in chapters_of()}
    sync(wanted, STAGE)


def build(builder: str) -> int:
    """Run Jupyter Book over the stage, warnings as errors; returns its exit status."""
    # Sphinx warns of a page once, when it reads it: without this the next build would pass.
    if UNFINISHED.exists():
        rmtree(DOCTREES, ignore_errors=True)
        rmtree(SITE, ignore_errors=True)
    UNFINISHED.touch()
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(STAGE)]
    command += ["--path-output", ".", "--builder", builder]
    command += ["-W", "-n", "--keep-going"]
    in_a_log = not sys.stdout.isatty()  # warnings only: Sphinx's progress would be a line a page
    command += ["--quiet"] * in_a_log
    seen = subprocess.DEVNULL if in_a_log else None
    status = subprocess.run(command, stdout=seen, check=False).returncode
    if status == 0:
        UNFINISHED.unlink()
    return status


def main() -> None:
    parser = argparse.ArgumentParser("tools.pages")
    parser.add_argument("--builder", default="html", choices=["html", "linkcheck"])
    given = parser.parse_args()
    adopt()
    task = {"html": "Building the HTML", "linkcheck": "Checking links to other sites"}
    print(task[given.builder], flush=True)
    with one_at_a_time(BUILD / "pages.lock"):
        stage()
        sys.exit(build(given.builder))


if __name__ == "__main__":
    main()
