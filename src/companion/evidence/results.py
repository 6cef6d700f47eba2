"""What was collected: the full runs if there are any, else the reduced ones."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from patchinit.data.catalogue import DATASETS

from ..runs.collect import read_manifest
from ..runs.files import StorageError
from ..runs.plan import Study
from ..runs.provenance import conditions
from ..runs.record import Result, RunRefused, unpack_result
from ..runs.registration import Registration, read_registration
from ..runs.settings import Settings
from ..runs.studies import STUDIES
from .arms import Arm, ArmKey


class NoResults(FileNotFoundError):
    """No folder of results; the text says how to get one."""


@dataclass(frozen=True, repr=False)
class Runs:
    """The finished runs of one study, or of several read together.

    An arm is asked for by its settings: an `ArmKey`, or the method's name where it differs in
    nothing else. What is not there is None.
    """

    studies: tuple[str, ...]
    arms: tuple[Arm, ...]  #: by study, data set and the study's order
    manifests: tuple[dict, ...]
    registration: Registration = Registration()  #: says which versions of the code train alike

    @property
    def n_finished(self) -> int:
        return sum(manifest["runs_finished"] for manifest in self.manifests)

    @property
    def datasets(self) -> list[str]:
        """Data sets with runs, CIFAR-10 first."""
        present = {arm.dataset for arm in self.arms}
        return [name for name in DATASETS if name in present]

    def find(self, dataset: str, key: ArmKey | str) -> Arm | None:
        """The arm on a data set; None without runs.

        ValueError if arms of several studies fit, which differ in what `key` leaves open.
        """
        key = ArmKey(key) if isinstance(key, str) else key
        wanted = {
            Settings(dataset=dataset, **STUDIES[study].common | key.settings)
            for study in self.studies
        }
        fitting = [arm for arm in self.arms if replace(arm.settings, seed=0) in wanted]
        if len(fitting) > 1:
            raise ValueError(
                f"key={key.label!r} fits {len(fitting)} arms on {dataset} in "
                f"{', '.join(self.studies)}; name what tells them apart "
                f"({fitting[0].settings.differences(fitting[1].settings)})"
            )
        return fitting[0] if fitting else None

    def paired(self, dataset: str, *keys: ArmKey | str) -> tuple[Arm, ...] | None:
        """The arms, each with the seeds that all of them have, made under like conditions.

        Pairs are compared to the last image, so both runs must have been made on the same kind of
        device, in the same precision, and by code that trains alike. Arms of several studies must
        agree in all settings but those that name them. None if nothing is left.
        """
        arms = [arm for key in keys if (arm := self.find(dataset, key))]
        if len(arms) < len(keys):
            return None
        named = {name for arm in arms for name in arm.key.settings} | {"seed"}
        by_seed = [
            {result.settings.seed: self._conditions(result, named) for result in arm.results}
            for arm in arms
        ]
        seeds = [
            seed
            for seed in sorted(set.intersection(*map(set, by_seed)))
            if all(of_arm[seed] == by_seed[0][seed] for of_arm in by_seed)
        ]
        return tuple(arm.among(seeds) for arm in arms) if seeds else None

    def made_under(self, result: Result) -> dict[str, str]:
        """Device, precision and code of a run; runs that differ in one are never paired."""
        under = conditions(result.settings, result.about)
        return under | {"code": self.registration.training(under["code"])}

    def _conditions(self, result: Result, named: set[str]) -> dict[str, str]:
        """What must be the same in a pair, as text."""
        under = self.made_under(result)
        settings = asdict(result.settings).items()
        return {key: str(value) for key, value in settings if key not in named} | under


def find_results(folder: str | os.PathLike | None = None) -> Path:
    """The folder of collected results: the one given, or ``results/`` here or in a folder above.

    `NoResults` if there is none.
    """
    if folder is not None:
        given = Path(folder).expanduser()
        if not given.is_dir():
            raise NoResults(
                f"results={str(folder)!r} is no folder; "
                "name the one that `python -m companion collect` wrote to"
            )
        return given
    here = Path.cwd()
    for place in (here, *here.parents):
        if any(place.glob("results/*/manifest.json")):
            return place / "results"
    raise NoResults(
        f"no results/ in {here} or above it; clone the book's repository and start there, "
        "or name the folder that `python -m companion collect` wrote to"
    )


def read_runs(*studies: str, folder: str | os.PathLike | None = None) -> Runs | None:
    """All finished runs of the studies named; None if nothing of them was collected.

    `NoResults` without a folder of results, `RunRefused` for a record that is damaged or of no arm
    of its study, `StorageError` for a file that is missing or not the one that its manifest lists.
    """
    root = find_results(folder)
    present = [name for name in studies if (root / name / "manifest.json").exists()]
    if not present:
        return None
    found: dict[Settings, dict[int, Result]] = {}  # by the arm's settings with seed 0
    manifests = []
    for name in present:
        manifest = read_manifest(root / name)
        assert manifest is not None  # it is present
        manifests.append(manifest)
        for file, digest in manifest["files"].items():
            if not file.startswith("runs/"):
                continue
            path = root / name / file
            result = _listed(path, digest)
            if STUDIES[name].run_of(result.settings) is None:
                raise RunRefused(
                    f"{path} has the settings of no arm of {name!r}; give the study its arm back, "
                    "or take the record out of the folder and out of manifest.json"
                )
            of_arm = found.setdefault(replace(result.settings, seed=0), {})
            of_arm[result.settings.seed] = result
    arms = {
        settings: Arm(arm_key(study, name), dataset, tuple(by[seed] for seed in sorted(by)))
        for study in (STUDIES[name] for name in present)
        for dataset in study.datasets
        for name in study.arms
        if (by := found.get(settings := study.settings(name, dataset, 0)))
    }
    if not arms:
        return None
    return Runs(tuple(present), tuple(arms.values()), tuple(manifests), read_registration(root))


def arm_key(study: Study, name: str) -> ArmKey:
    """What tells an arm from the study's others, without what all arms have as well."""
    common = Settings(**study.common)
    arm = {"method": common.method, **study.arms[name]}
    return ArmKey(**{k: v for k, v in arm.items() if k == "method" or v != getattr(common, k)})


def _listed(path: Path, digest: str) -> Result:
    """A record that a manifest lists, if it is the one."""
    way_out = f"restore it: git checkout {path}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror}; {way_out}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise StorageError(f"{path} is not the file that manifest.json lists; {way_out}")
    return unpack_result(content, path)


def merged(*several: Runs | None) -> Runs | None:
    """The runs of several studies as if they were of one; None if there are none.

    Runs of the same settings but for the seed become one arm, whichever study made them.
    """
    present = [runs for runs in several if runs]
    if not present:
        return None
    arms: dict[Settings, Arm] = {}
    for arm in (arm for runs in present for arm in runs.arms):
        settings = replace(arm.settings, seed=0)
        if known := arms.get(settings):
            by_seed = {r.settings.seed: r for r in (*arm.results, *known.results)}
            results = tuple(by_seed[seed] for seed in sorted(by_seed))
            arms[settings] = Arm(known.key, known.dataset, results)
        else:
            arms[settings] = arm
    return Runs(
        tuple(dict.fromkeys(name for runs in present for name in runs.studies)),
        tuple(arms.values()),
        tuple(manifest for runs in present for manifest in runs.manifests),
        present[0].registration,
    )


def full_or_reduced_runs(*studies: str, folder: str | os.PathLike | None = None) -> Runs | None:
    """Of each study the full runs or, where there are none, its reduced ones; read together.

    The reduced runs of `norms` come with those of `paper-small`, which stand beside them.
    """
    root = find_results(folder)
    chosen = []
    for study in studies:
        small = f"{study}-small"
        if (root / study / "manifest.json").exists():
            chosen.append(study)
        elif (root / small / "manifest.json").exists():
            chosen += ["paper-small", small] if study == "norms" else [small]
    return read_runs(*dict.fromkeys(chosen), folder=root)
