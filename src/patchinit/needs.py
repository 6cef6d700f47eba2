"""What each room needs beyond the method, and the word where it is not installed."""

from importlib.util import find_spec

_DATA = ("torchvision", "PIL", "tqdm")
_EXPERIMENTS = (*_DATA, "filelock")
_EVIDENCE = (*_EXPERIMENTS, "scipy", "statsmodels")
_CHAPTERS = (*_EVIDENCE, "IPython", "matplotlib", "seaborn", "pandas", "yaml")
#: By room, which is the name of its extra too: as imported, with what the rooms under it need.
NEEDS = {
    "data": _DATA,
    "experiments": _EXPERIMENTS,
    "evidence": _EVIDENCE,
    "chapters": _CHAPTERS,
}


class NotInstalled(ModuleNotFoundError):
    """Packages that a room needs are not there; the text names them and the extra."""


def require(room: str) -> None:
    """Raise NotInstalled unless every package that a room needs can be imported.

    Packages are looked for and not imported, which would take seconds.

    Parameters
    ----------
    room : {"data", "experiments", "evidence", "chapters"}

    Examples
    --------
    >>> require("data")  # in an environment that has all
    """
    missing = [name for name in NEEDS[room] if find_spec(name) is None]
    if missing:
        *others, last = missing
        names = f"{', '.join(others)} and {last}" if others else last
        raise NotInstalled(
            f"patchinit.{room} needs {names}, which {'are' if others else 'is'} not installed; "
            f"pip install 'patchinit[{room}]'"
        )
