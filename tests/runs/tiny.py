"""A study that is made in a second, and what its tests look at."""

import csv
import dataclasses

from companion.evidence.arms import ArmKey
from companion.runs.plan import Study
from companion.runs.record import pack_result, read_result

TINY = Study(
    "tiny",
    "Does the pipeline hold?",
    {
        "glorot_uniform": {"method": "glorot_uniform"},
        "PC at norm 2": {"method": "principal_components", "norm": 2.0},
    },
    {
        "epochs": 2,
        "n_train": 64,
        "batch_size": 32,
        "n_images": 10,
        "n_evaluate": 32,
        "widths": (4, 4),
    },
    datasets=("digits", "photos"),
    n_seeds=2,
)
TINY_ARMS = [ArmKey(**arm) for arm in TINY.arms.values()]


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def files(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def with_about(path, **about):
    result = read_result(path)
    path.write_bytes(pack_result(dataclasses.replace(result, about=result.about | about)))
