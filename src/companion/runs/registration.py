"""``results/registration.json``: the protocol registered, its date, and which code trains alike."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .files import StorageError


@dataclass(frozen=True)
class Registration:
    """What the file says; without one, nothing is registered and only equal code is alike."""

    commit: str | None = None  #: that has the registered page
    date: str | None = None  #: ISO time of the registration
    #: by study, ISO time of the registration of a stage that came later
    stages: dict[str, str] = field(default_factory=dict, hash=False)
    same_training: tuple[frozenset[str], ...] = ()  #: digests of code that trains a run alike
    runs_commit: str | None = None  #: whose code makes the runs of the registered stages
    runs_digest: str | None = None  #: of that code

    def precedes(self, begun: str, study: str = "") -> bool:
        """Whether a run begun at an ISO time was begun after its study was registered."""
        date = self.stages.get(study, self.date)
        return date is not None and _time(date) <= _time(begun)

    def alike(self, wanted: dict | None, code: dict) -> bool:
        """Whether code trains as the wanted one does, both as a record has it; None: any does."""
        return wanted is None or self.training(wanted["digest"]) == self.training(code["digest"])

    def training(self, digest: str) -> str:
        """One digest for all versions of the code that train alike."""
        return next((min(alike) for alike in self.same_training if digest in alike), digest)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def read_registration(results: Path) -> Registration:
    """What is registered in a folder of results. StorageError if the file is not one of ours."""
    path = results / "registration.json"
    if not path.exists():
        return Registration()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        alike = tuple(frozenset(entry["digests"]) for entry in content.get("same_training", ()))
        date, stages = content.get("date"), dict(content.get("stages", {}))
        runs = dict(content.get("runs", {}))
        for text in (*filter(None, [date]), *stages.values()):
            _time(text)
        return Registration(
            content.get("commit"), date, stages, alike, runs.get("commit"), runs.get("digest")
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{path} can't be used ({type(error).__name__}: {error}); "
            "it should hold commit, date (ISO), stages (ISO by study), runs (commit and digest) "
            "and same_training. "
            "Restore it: git checkout"
        ) from error
