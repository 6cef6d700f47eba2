"""Which code the runs of a study must be made by, to be compared with each other.

Arms of one seed are compared image by image, so code that trains otherwise must have made none of
them. Reading leaves such pairs out; here it is known before hours are spent on a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from .plan import PlannedRun, Study
from .record import RunRefused, read_about
from .registration import Registration, read_registration
from .studies import STUDIES

Code = dict  # as `companion.runs.provenance.code` has it


class Pairing:
    """Of one study, from what is registered and what is on record.

    The runs of a registered stage are made by the registered code. In any other study the run of
    a data set and seed that was begun first says by which: of those collected, its own and those of
    the studies beside it, else of those finished in `folder`.
    """

    def __init__(self, study: Study, results: Path, folder: Path | None = None):
        self.study, self.results, self.folder = study, results, folder
        self.registration = read_registration(results)
        self._wanted: dict[tuple[str, int], Code | None] = {}

    def wanted(self, dataset: str, seed: int) -> Code | None:
        """The code that runs of a data set and seed must be made by; None if any will do."""
        key = dataset, seed
        if key not in self._wanted:
            self._wanted[key] = (
                registered_code(self.study, self.registration)
                or first_code(self._abouts(dataset, seed, collected=True))
                or first_code(self._abouts(dataset, seed, collected=False))
            )
        return self._wanted[key]

    def alike(self, run: PlannedRun, digest: str) -> bool:
        """Whether code of a digest makes a run as those are made that it is compared with."""
        wanted = self.wanted(run.settings.dataset, run.settings.seed)
        return self.registration.alike(wanted, {"digest": digest})

    def _abouts(self, dataset: str, seed: int, *, collected: bool) -> Iterator[dict]:
        """What records say of their runs; nothing is compared with a damaged one."""
        for study in (self.study, *(STUDIES[name] for name in self.study.beside)):
            for arm in study.arms if dataset in study.datasets else ():
                run = study.run(arm, dataset, seed)
                if collected:
                    path = run.collected(self.results)
                elif self.folder is not None:
                    path = run.record(self.folder)
                else:
                    return
                if path.exists():
                    with suppress(RunRefused):
                        yield read_about(path)


def registered_code(study: Study, registration: Registration) -> Code | None:
    """The code that makes the runs of a registered stage; None for a study that is none."""
    if not study.stage or registration.runs_digest is None:
        return None
    return {"commit": registration.runs_commit, "dirty": False, "digest": registration.runs_digest}


def first_code(abouts: Iterable[dict]) -> Code | None:
    """Of the run that was begun first; None without runs."""
    first = min(abouts, key=lambda about: about["begun"], default=None)
    return None if first is None else first["code"]
