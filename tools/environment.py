"""What the build's processes find in their environment, so that the user's own bends no page."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = Path("_build/home")  # settings and caches of what the build starts
# Beginnings of names. A backend or an rc file of matplotlib's loses or changes figures, a path of
# Jupyter's puts another interpreter behind the kernel, and git in a hook looks at another folder.
DROPPED = ("PYTHON", "MPL", "MATPLOTLIB", "JUPYTER", "IPYTHON", "GIT_DIR", "GIT_WORK", "GIT_INDEX")
LONGEST = 60  # of a folder for temporary files: the path of a socket in it may have 107 characters


def environment() -> dict[str, str]:
    """This process's environment without what would bend the build."""
    home = HOME.resolve()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
    kept |= {
        "PYTHONPATH": str(ROOT / "src"),  # whatever is installed
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "TMPDIR": temporary_folder(),
    }
    for kind in ("CONFIG", "DATA", "RUNTIME"):
        kept[f"JUPYTER_{kind}_DIR"] = str(home / "jupyter")
    if not _can_write(os.path.expanduser("~")):
        kept["HOME"] = str(home)
    if data := os.environ.get("PATCHINIT_DATA"):  # a kernel runs in another folder
        kept["PATCHINIT_DATA"] = str(Path(data).expanduser().resolve())
    return kept


def temporary_folder() -> str:
    """Where temporary files are put: the user's choice, unless sockets could not lie in it."""
    chosen = tempfile.gettempdir()
    for folder in (chosen, "/tmp", "/var/tmp"):
        if len(os.fsencode(folder)) <= LONGEST and _can_write(folder):
            return folder
    wish = f"a kernel's sockets lie below it. Name a folder of at most {LONGEST} letters"
    sys.exit(f"TMPDIR={chosen} is too long: {wish}")


def _can_write(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def adopt() -> None:
    """Take this environment on, for this process and all that it starts from now on."""
    kept = environment()
    os.environ.clear()
    os.environ.update(kept)
    tempfile.tempdir = None  # chosen anew
    fonts = Path(kept["MPLCONFIGDIR"])
    if not any(fonts.glob("fontlist*")):  # matplotlib warns on stderr that looking for them is slow
        fonts.mkdir(parents=True, exist_ok=True)
        look = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(look, stderr=subprocess.DEVNULL, check=False)
