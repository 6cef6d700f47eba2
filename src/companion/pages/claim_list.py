"""The one list of the paper's claims, book/claims.yml.

The claims page, the counts, what a chapter tells and the tests of the verdicts are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml


class NoClaims(FileNotFoundError):
    """The list is not there; the text says how to get it."""


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and where the book decides it.

    Examples
    --------
    >>> Claim(1, "It holds.", "Table 1", "accuracy", chapter=9, rule="It does.").runs
    False
    """

    number: int
    statement: str  #: in our words
    place: str  #: in the paper
    group: str  #: table of the claims page that it stands in
    chapter: int  #: decides it
    rule: str  #: by which it is decided, in a sentence
    figure: str | None = None  #: label of the figure that shows it best, in that chapter
    runs: bool = False  #: whether training runs decide it; if not, the build computes it
    also: tuple[int, ...] = ()  #: further chapters that tell of it
    untrained: dict | None = None  #: chapter and figure of what can be said without training
    plain: dict = field(default_factory=dict)  #: by verdict, what it means in a sentence


def read_claims(path: Path | None = None) -> dict[int, Claim]:
    """The claims by number, in the order of the list.

    Parameters
    ----------
    path : Path, optional
        Default: book/claims.yml here or in a folder above.

    Raises
    ------
    NoClaims
        There is no such file.
    ValueError
        An entry lacks a field, or has one that is not known.

    Examples
    --------
    >>> read_claims()[2].statement  # in the book's repository
    'Principal components end 0.78 pp above Glorot on Fashion-MNIST.'
    """
    path = _find() if path is None else path
    claims = {}
    for number, entry in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        try:
            claims[number] = Claim(number, **entry | {"also": tuple(entry.get("also", ()))})
        except TypeError as error:
            raise ValueError(f"{path}: claim {number}: {error}") from error
    return claims


def _find() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (path := folder / "book" / "claims.yml").is_file():
            return path
    raise NoClaims(
        f"no book/claims.yml in {here} or above it; clone the book's repository and start there"
    )
