"""Whether two trees of the code train alike: the same short runs by both, compared bit by bit.

    python benchmarks/same_training.py OLD_TREE NEW_TREE [--write]

Each tree is a checkout, of whatever age, and makes the runs in a process of its own, on this
machine and with this interpreter's libraries: every method, both precisions, layers that are
frozen or all from data, other norms, starts and optimisers, augmentation, few labels and redrawn
ones, on colour and on grey stand-ins. All arrays of the records must agree in every bit but the
seconds, as must the pixels and labels of the published data sets, where they are at hand; what is
noted beside the filters (an inertia, say) agrees to twelve digits. With --write an entry of
`results/registration.json` then says that the two digests train alike; an entry that this script
wrote before for the old digest is renewed. Ends with status 1 if a run differs. Takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
WHY = "benchmarks/same_training.py made"  # how the entries begin that this script writes
COMMON = {
    "n_train": 256,
    "batch_size": 64,
    "n_evaluate": 64,
    "n_images": 30,
    "epochs": 2,
    "drop_after": 1,
}
KERAS = {"bn_eps": 1e-3, "bn_momentum": 0.01, "adam_eps": 1e-7, "bias": True}
COMPONENTS, CLUSTERS = {"method": "principal_components"}, {"method": "kmeans"}
ARMS = [
    COMPONENTS | {"frozen": True},
    COMPONENTS | {"layers": "all"},
    CLUSTERS | {"layers": "all"},
    COMPONENTS | {"augmentation": "flip_crop"},
    COMPONENTS | {"label_share": 0.1},
    COMPONENTS | {"labels": "redrawn"},
    COMPONENTS | {"optimizer": "sgd", "learning_rate": 0.05},
    COMPONENTS | KERAS,
]
ALSO_FP32 = [
    *({"method": "glorot_uniform", "norm": norm} for norm in (0.5, "glorot")),
    COMPONENTS | {"norm": "glorot"},
    {"method": "random_orthonormal", "others": "orthogonal"},
    {"method": "random_orthonormal", "others": "lsuv"},
    COMPONENTS | {"n_held_out": 100, "seed": 3, "n_images": 100},
]
# What one tree does: its digest, then every run. The package was one, and flat, once.
CHILD = """
import json, sys, warnings
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
try:
    from companion.runs.run import execute
    from companion.runs.settings import Settings
    from companion.runs.provenance import code
except ImportError:
    try:
        from patchinit.experiments.run import execute
        from patchinit.experiments.settings import Settings
        from patchinit.experiments.provenance import code
    except ImportError:
        from patchinit.runs import execute
        from patchinit.settings import Settings
        from patchinit.provenance import code
runs = {name: Settings(**settings) for name, settings in json.load(sys.stdin).items()}
for name, settings in runs.items():
    execute(settings, f"{sys.argv[1]}/{name}")
import hashlib
from patchinit.data import load_images
for name in ("cifar10", "fashion_mnist"):
    for split in ("train", "test"):
        try:
            images, labels, _ = load_images(name, split, download=False)
        except RuntimeError:
            print(name, split, "absent")
        else:
            pixels = hashlib.sha256(images.numpy().tobytes() + labels.numpy().tobytes())
            print(name, split, pixels.hexdigest())
print(code()["digest"])
"""


def cases(methods: list[str]) -> dict[str, dict]:
    """Settings of every run by a name."""
    arms = [{"method": method} for method in methods] + ARMS + ALSO_FP32
    arms = [arm | {"precision": "fp32"} for arm in arms] + [
        arm | {"precision": "bf16"} for arm in [{"method": "glorot_uniform"}, COMPONENTS, *ARMS]
    ]
    found = {}
    for dataset in ("photos", "digits"):
        for number, arm in enumerate(arms):
            found[f"{dataset}-{number:02}"] = (
                COMMON | {"dataset": dataset, "widths": [16] * 10, "seed": number % 2} | arm
            )
    return found


def start(tree: Path, python: str, folder: Path, runs: dict[str, dict]) -> subprocess.Popen:
    own = {"PYTHONPATH": str((tree / "src").resolve())}
    own |= {"PATCHINIT_DATA": os.environ.get("PATCHINIT_DATA", str(ROOT / "data"))}
    process = subprocess.Popen(
        [python, "-c", CHILD, str(folder)], cwd=folder, stdin=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE, env=os.environ | own,
    )  # fmt: skip
    process.stdin.write(json.dumps(runs))
    process.stdin.close()
    return process


def twelve_digits(number: str) -> float:
    """Sums in another order differ in their last bits, and no filter hangs on them."""
    return float(f"{float(number):.12g}")


def differences(one: Path, other: Path) -> list[str]:
    """Names of all that two records differ in, but for the time taken and what says who made it."""
    records = []
    for path in (one, other):
        with np.load(path, allow_pickle=False) as arrays:
            record = {name: arrays[name] for name in arrays.files if name != "epochs.seconds"}
        text = json.loads(str(record.pop("text")))
        parts = {name: text[name] for name in ("final_loss", "diverged")}
        parts["learned"] = json.loads(json.dumps(text["learned"]), parse_float=twelve_digits)
        records.append(record | {n: np.array(json.dumps(value)) for n, value in parts.items()})
    return [
        name
        for name in sorted(records[0].keys() | records[1].keys())
        if not all(name in record for record in records)
        or len({(a[name].dtype, a[name].shape, a[name].tobytes()) for a in records}) > 1
    ]


def write(old: str, new: str, why: str) -> None:
    """Say in the registration that two digests train alike, in place of an earlier such entry."""
    path = ROOT / "results/registration.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    entries = [
        entry
        for entry in content["same_training"]
        if not (entry["why"].startswith(WHY) and old in entry["digests"])
    ]
    content["same_training"] = [*entries, {"digests": [old, new], "why": why}]
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path, metavar="OLD_TREE")
    parser.add_argument("new", type=Path, metavar="NEW_TREE")
    parser.add_argument("--old-python", default=sys.executable, help="interpreter of the old tree")
    parser.add_argument("--write", action="store_true", help="enter the finding")
    parser.add_argument("--only", default="", help="runs whose names begin so, to look at a few")
    options = parser.parse_args()

    from patchinit.filters.methods import METHODS

    runs = {n: s for n, s in cases(list(METHODS)).items() if n.startswith(options.only)}
    pythons = {options.old: options.old_python, options.new: sys.executable}
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, name) for name in ("old", "new")]
        processes = []
        for folder, (tree, python) in zip(folders, pythons.items(), strict=True):
            folder.mkdir()
            processes.append(start(tree, python, folder, runs))
        ends = [process.stdout.read().split() for process in processes]
        if any(process.wait() for process in processes):
            return 2
        digests = [end.pop() for end in ends]
        unlike = {
            name: found
            for name in runs
            if (found := differences(*(folder / name / "result.npz" for folder in folders)))
        }
    for name, found in unlike.items():
        print(f"{name} {runs[name]} differs in {', '.join(found)}")
    if ends[0] != ends[1]:
        print(f"the published data sets differ: {ends}")
        return 1
    absent = ends[0].count("absent")
    data = f"{4 - absent} of 4 splits of the published data sets"
    alike = f"{data} and {len(runs) - len(unlike)} of {len(runs)} runs agree in every bit"
    print(f"{alike}: {' and '.join(digests)}")
    if unlike:
        return 1
    if options.write and absent:
        print(
            f"--write: {absent} of 4 splits are not there to be compared, so nothing is written; "
            "name the folder that has them in PATCHINIT_DATA"
        )
        return 1
    if options.write and not options.only:
        import torch

        write(
            *digests,
            f"{WHY} {len(runs)} short runs of every kind with both on one machine (torch "
            f"{torch.__version__}), and all arrays but the seconds agree in every bit, as do "
            f"{data} as they are loaded; what is noted beside the filters agrees to 12 digits.",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
