"""The named grids of runs, and the plan that one amounts to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .init import METHODS
from .settings import Settings

BOTH = ("cifar10", "fashion_mnist")
PAPER_ARMS: dict[str, dict] = {  # the paper's four, and a rotation that knows nothing of the data
    "glorot_uniform": {"method": "glorot_uniform"},
    "principal_components": {"method": "principal_components"},
    "kmeans": {"method": "kmeans"},
    "random_patches": {"method": "random_patches"},
    "random_orthonormal": {"method": "random_orthonormal"},
}
SHORT = {"epochs": 30, "drop_after": 24}  # the schedule at an eighth of its length
NORMS = (0.25, 0.5, 1.0, 2.0, 5.0)
# A tenth of the images, narrow layers and few epochs: what a CPU can do.
REDUCED = {"n_train": 5_000, "n_evaluate": 2_000, "widths": (32,) * 10, "epochs": 15, "drop_after": 12}


class UsageError(ValueError):
    """What was asked for can't be had; the text names the option, its value and what it may be."""


@dataclass(frozen=True)
class Study:
    """Arms that are compared, on the same seeds and data sets."""

    name: str
    question: str  #: what it is to answer
    arms: dict[str, dict]  #: by name, the settings in which the arm differs from `common`
    common: dict = field(default_factory=dict)  #: settings of all arms
    datasets: tuple[str, ...] = BOTH
    n_seeds: int = 5  #: of each arm, but for those in `seeds`
    seeds: dict[str, int | range] = field(default_factory=dict)  #: by arm, where it has others, or another number
    first: tuple[tuple[tuple[str, ...], range], ...] = ()  #: arms and seeds that are made before all others, in order
    stage: str = ""  #: letter of the registered protocol's stage, if it is one
    on_request: dict[str, range] = field(default_factory=dict)  #: by arm, seeds registered under a condition

    @property
    def reduced(self) -> bool:
        """Whether it is too small to say anything about the paper's full runs."""
        return self.common.get("n_train") is not None

    def seeds_of(self, arm: str) -> range:
        """The seeds planned for an arm."""
        seeds = self.seeds.get(arm, self.n_seeds)
        return seeds if isinstance(seeds, range) else range(seeds)

    def asked(self, arm: str, seeds: range) -> range:
        """Those of some seeds that may be made of an arm: in a registered stage no others than it names."""
        if not self.stage:
            return seeds
        own = self.on_request.get(arm, self.seeds_of(arm))
        return range(max(own.start, seeds.start), min(own.stop, seeds.stop))

    def settings(self, arm: str, dataset: str, seed: int) -> Settings:
        """Of one run."""
        return Settings(dataset=dataset, seed=seed, **self.common | self.arms[arm])

    def run(self, arm: str, dataset: str, seed: int) -> PlannedRun:
        """One run."""
        return PlannedRun(run_name(dataset, arm, seed), self.name, arm, self.settings(arm, dataset, seed))

    def run_of(self, settings: Settings) -> PlannedRun | None:
        """The run that has these settings, whatever its seed; None: the study has no such arm or data set."""
        if settings.dataset in self.datasets:
            for arm in self.arms:
                if self.settings(arm, settings.dataset, settings.seed) == settings:
                    return self.run(arm, settings.dataset, settings.seed)
        return None


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study."""

    name: str  #: unique in the study
    study: str
    arm: str
    settings: Settings

    @property
    def place(self) -> str:
        """Its folder below that of all runs; studies may have runs of the same name."""
        return f"{self.study}/{self.name}"

    def record(self, folder: Path) -> Path:
        """Where its record is written when it ends, below the folder of all runs."""
        return folder / self.place / "result.npz"

    def checkpoint(self, folder: Path) -> Path:
        """Where it goes on from while it is under way, below the folder of all runs."""
        return folder / self.place / "checkpoint"

    def collected(self, results: Path) -> Path:
        """Where its record lies among those that were collected."""
        return results / self.study / "runs" / f"{self.name}.npz"


def _pilot_arms() -> dict[str, dict]:
    widths = {
        "10x64": (64,) * 10,
        "3x32-4x64-3x128": (32,) * 3 + (64,) * 4 + (128,) * 3,
        "3x64-4x128-3x256": (64,) * 3 + (128,) * 4 + (256,) * 3,
    }
    return {
        f"{name}, {augmentation.replace('_', ' and ')}, batch {batch}": {
            "widths": width, "augmentation": augmentation, "batch_size": batch,
        }
        for augmentation in ("none", "flip_crop")
        for name, width in widths.items()
        for batch in (128, 512)
    }  # fmt: skip


def _norm_arms() -> dict[str, dict]:
    arms = {name: dict(arm) for name, arm in PAPER_ARMS.items()}
    for method in ("principal_components", "kmeans", "random_patches", "random_orthonormal"):
        arms[f"{method} at Glorot's norm"] = {"method": method, "norm": "glorot"}
    for method in ("glorot_uniform", "principal_components"):
        for norm in NORMS:
            arms[f"{method} at norm {norm:g}"] = {"method": method, "norm": norm}
    del arms["principal_components at norm 1"]  # its own norm
    sgd = {"optimizer": "sgd", "learning_rate": 0.05}
    return arms | {
        f"{name}, SGD": arm | sgd
        for name, arm in arms.items()
        if arm["method"] in ("glorot_uniform", "principal_components")
    }


def _few_norm_arms() -> dict[str, dict]:
    """What shows the course with the norm in the fewest runs; the methods' own norms are in paper-small."""
    arms = _norm_arms()
    return {
        name: arms[name]
        for name in (
            "glorot_uniform at norm 1", "principal_components at Glorot's norm", "kmeans at Glorot's norm",
            "random_orthonormal at Glorot's norm", "glorot_uniform at norm 0.25", "principal_components at norm 0.25",
            "glorot_uniform at norm 5", "principal_components at norm 5", "glorot_uniform, SGD",
            "principal_components, SGD", "glorot_uniform at norm 1, SGD", "principal_components at Glorot's norm, SGD",
        )
    }  # fmt: skip


def _label_arms() -> dict[str, dict]:
    return {
        f"{name}, {share:.0%} of the labels": arm | {"label_share": share}
        for share in (0.01, 0.05, 0.1, 1.0)
        for name, arm in PAPER_ARMS.items()
    }


_EVERY_LAYER = {
    "glorot_uniform": {"method": "glorot_uniform"},
    "principal_components, first layer": {"method": "principal_components"},
    "principal_components, every layer": {"method": "principal_components", "layers": "all"},
    "kmeans, first layer": {"method": "kmeans"},
    "kmeans, every layer": {"method": "kmeans", "layers": "all"},
    "orthogonal": {"method": "random_orthonormal", "others": "orthogonal"},
    "lsuv": {"method": "random_orthonormal", "others": "lsuv"},
}
_OTHER_STARTS = {
    "glorot_uniform": {"method": "glorot_uniform"},
    "kaiming_normal": {"method": "kaiming_normal"},
    "pca_whitening": {"method": "pca_whitening"},
    "kmedoids": {"method": "kmedoids"},
    **{
        f"principal_components, {n:,} image{'s'[: n > 1]}": {"method": "principal_components", "n_images": n}
        for n in (1, 10, 100, 1_000, 10_000)
    },
}

# The registered runs (book/protocol.md): ten blocks of 16 filters, what two cores can carry through 250 epochs.
NARROW = {"widths": (16,) * 10, "precision": "bf16"}
# Stages B, C and E since the change of 2026-11-28: any processor computes in fp32.
NARROW_FP32 = NARROW | {"precision": "fp32"}
FULL_LENGTH = {"epochs": 250, "drop_after": 200}
_ANCHOR = ("glorot_uniform", "principal_components")
_FROZEN = ("principal_components", "random_orthonormal", "cosine_basis")


def _grid_arms() -> dict[str, dict]:
    return PAPER_ARMS | {
        "cosine_basis": {"method": "cosine_basis"},
        "glorot_uniform at norm 1": {"method": "glorot_uniform", "norm": 1.0},
        "principal_components at Glorot's norm": {"method": "principal_components", "norm": "glorot"},
        **{f"{method}, frozen": {"method": method, "frozen": True} for method in _FROZEN},
    }


_NULL_ARMS = {
    "glorot_uniform": {"method": "glorot_uniform"},
    "glorot_uniform at norm 1": {"method": "glorot_uniform", "norm": 1.0},
    "random_orthonormal": {"method": "random_orthonormal"},
    "principal_components": {"method": "principal_components"},
}
_KERAS = {
    "batch_size": 32, "bn_eps": 1e-3, "bn_momentum": 0.01, "adam_eps": 1e-7, "bias": True,
}  # fmt: skip


# The second registration: stages of their own beside B and C, with the names of B's arms.
_ACCURACY = ("glorot_uniform", "principal_components", "cosine_basis")
_TIDY = {method: {"method": method} for method in (*_ACCURACY, "random_orthonormal")}
_THREE = {method: {"method": method} for method in _ACCURACY}
_FILLED_UP = {
    "random_patches": range(5, 6),
    **dict.fromkeys(("random_orthonormal", "cosine_basis"), range(4, 6)),
    **dict.fromkeys(("glorot_uniform at norm 1", "principal_components at Glorot's norm"), range(3, 6)),
    **dict.fromkeys((f"{method}, frozen" for method in _FROZEN), range(3, 6)),
}
_ALL_NULL_ARMS = _NULL_ARMS | {
    method: {"method": method} for method in ("kmeans", "cosine_basis", "random_patches")
}
_WIDTH_ARMS = {
    f"{method}, 10x{width}": {"method": method, "widths": (width,) * 10}
    for width in (8, 32)
    for method in _ACCURACY
}
_FEW_LABELS = {
    f"{method}, {share:.0%} of the labels": {"method": method, "label_share": share}
    for share in (0.01, 0.05, 0.1)
    for method in _ANCHOR
}


def _beyond_arms() -> dict[str, dict]:
    arms = {
        "glorot_uniform": {"method": "glorot_uniform"},
        "principal_components": {"method": "principal_components"},
        "principal_components, every layer": {"method": "principal_components", "layers": "all"},
        "kmeans, every layer": {"method": "kmeans", "layers": "all"},
        "glorot_uniform, Keras's defaults": {"method": "glorot_uniform", **_KERAS},
        "principal_components, Keras's defaults": {"method": "principal_components", **_KERAS},
    }
    for share in (0.01, 0.1):
        for method in _ANCHOR:
            arms[f"{method}, {share:.0%} of the labels"] = {"method": method, "label_share": share}
    return arms


STUDIES = {
    study.name: study
    for study in (
        Study(
            "anchor", "The paper's protocol, 250 epochs, on Fashion-MNIST in a narrow network.",
            PAPER_ARMS, NARROW | FULL_LENGTH, ("fashion_mnist",), n_seeds=3, seeds=dict.fromkeys(_ANCHOR, 6),
            first=((_ANCHOR, range(4)), (("kmeans",), range(1)), (_ANCHOR, range(6)), (tuple(PAPER_ARMS), range(1))),
            stage="A", on_request=dict.fromkeys(_ANCHOR, range(8)),
        ),
        Study(
            "grid", "Accuracy, change and frozen layers at 30 epochs, in a narrow network.",
            _grid_arms(), NARROW_FP32 | SHORT, n_seeds=3, stage="B",
            seeds={"glorot_uniform": 6, "principal_components": 6, "kmeans": 6, "random_patches": 5,
                   "random_orthonormal": 4, "cosine_basis": 4},
        ),
        Study(
            "null", "How far do filters turn when the labels are noise?",
            _NULL_ARMS, NARROW_FP32 | {"epochs": 3, "drop_after": 3, "labels": "redrawn"}, n_seeds=2, stage="C",
        ),
        Study(
            "anchor-cifar10", "The paper's protocol, 250 epochs, on CIFAR-10 in a narrow network.",
            PAPER_ARMS, NARROW | FULL_LENGTH, ("cifar10",), n_seeds=3, first=((_ANCHOR, range(3)),), stage="D",
        ),
        Study(
            "beyond", "Every layer, few labels, Keras's defaults, at 30 epochs in a narrow network.",
            _beyond_arms(), NARROW_FP32 | SHORT, n_seeds=3, stage="E",
        ),
        Study(
            "confirm", "Do tidy filters end above Glorot's on seeds that nobody has seen?",
            _TIDY, NARROW_FP32 | SHORT, ("cifar10",), seeds=dict.fromkeys(_TIDY, range(6, 10)), stage="F1",
        ),
        Study(
            "six-seeds", "Every arm of stage B with six seeds, on CIFAR-10.",
            {arm: _grid_arms()[arm] for arm in _FILLED_UP}, NARROW_FP32 | SHORT, ("cifar10",), seeds=_FILLED_UP,
            stage="F2",
        ),
        Study(
            "null-all", "How far do the filters of every method turn when the labels are noise?",
            _ALL_NULL_ARMS, NARROW_FP32 | {"epochs": 3, "drop_after": 3, "labels": "redrawn"}, n_seeds=3,
            seeds=dict.fromkeys(_NULL_ARMS, range(2, 3)), stage="C+",
        ),
        Study(
            "unspoiled", "Components and Glorot on Fashion-MNIST where training does not learn its images by heart.",
            _THREE, NARROW_FP32 | {"augmentation": "flip_crop", "epochs": 60, "drop_after": 48}, ("fashion_mnist",),
            n_seeds=6, stage="H",
        ),
        Study(
            "every-layer", "Is more gained if every layer starts from data?",
            {f"{method}, every layer": {"method": method, "layers": "all"}
             for method in ("principal_components", "kmeans")},
            NARROW_FP32 | SHORT, n_seeds=3, stage="E1",
        ),
        Study(
            "few-labels", "Do filters from data save labels?",
            _FEW_LABELS, NARROW_FP32 | SHORT, ("cifar10",), n_seeds=3, stage="E2",
        ),
        Study(
            "width", "Does the lead live on the network being narrow?",
            _WIDTH_ARMS, {name: value for name, value in NARROW_FP32.items() if name != "widths"} | SHORT,
            ("cifar10",), n_seeds=4, first=((tuple(_WIDTH_ARMS)[:3], range(4)),), stage="G",
        ),
        Study(
            "wide", "What is left of the lead in a network near the paper's accuracy?",
            _THREE, NARROW | {"widths": (64,) * 10, "augmentation": "flip_crop", "epochs": 40, "drop_after": 32},
            ("cifar10",), n_seeds=3, stage="W",
        ),
        Study(
            "precision", "Does bfloat16 change what is measured?",
            {f"{method}, {precision}": {"method": method, "precision": precision}
             for method in ("principal_components", "glorot_uniform") for precision in ("fp32", "bf16")},
            {"widths": (16,) * 10, "n_train": 20_000, "epochs": 8, "drop_after": 8}, ("cifar10",), n_seeds=12,
            seeds={"glorot_uniform, fp32": 6, "glorot_uniform, bf16": 6},
        ),
        Study(
            "pilot", "Which widths, augmentation and batch size come closest to the paper's accuracies?",
            _pilot_arms(), SHORT | {"n_held_out": 5_000}, n_seeds=1,
        ),
        Study(
            "paper", "The paper's experiment, for a GPU: Figures 6 to 9 and Table 1.",
            PAPER_ARMS, {"precision": "bf16"}, n_seeds=3,
        ),
        Study("norms", "Do filters change by what they hold, or by how long they are?", _norm_arms(), SHORT),
        Study(
            "frozen", "How good are the first filters, if they are never trained?",
            {method: {"method": method, "frozen": True} for method in METHODS}, SHORT,
        ),
        Study("labels", "Do filters from data save labels?", _label_arms(), SHORT),
        Study("layers", "Is more gained if every layer starts from data?", _EVERY_LAYER, SHORT),
        Study("inits", "Other starts, and components of fewer and more images.", _OTHER_STARTS, SHORT),
        Study(
            "paper-small", "The paper's arms on a tenth of the images, for a CPU. No finding about full runs.",
            PAPER_ARMS, REDUCED, n_seeds=3,
        ),
        Study(
            "norms-small", "Norms beside those of paper-small, for a CPU. No finding about full runs.",
            _few_norm_arms(), REDUCED, n_seeds=3,
        ),
        Study(
            "frozen-small", "The paper's arms with a first layer never trained, for a CPU. No finding about full runs.",
            {name: arm | {"frozen": True} for name, arm in PAPER_ARMS.items()}, REDUCED, n_seeds=3,
        ),
    )
}  # fmt: skip


def plan(study: Study, seeds: range | None = None, datasets: tuple[str, ...] | None = None) -> list[PlannedRun]:
    """Every run of a study, in the order in which they are made.

    What the study puts first comes first; the rest goes one seed after the other, all data sets and
    arms of it together, so that what is finished early can be compared.

    Parameters
    ----------
    study : Study
    seeds : range, optional
        Of every arm. Default: what the study plans for each.
    datasets : tuple of str, optional
        Default: all of the study's.

    Raises
    ------
    UsageError
        A data set that the study has not.
    """
    datasets = study.datasets if datasets is None else datasets
    if unknown := set(datasets) - set(study.datasets):
        raise UsageError(f"datasets={','.join(sorted(unknown))} should be among {', '.join(study.datasets)}")
    wanted = {arm: study.seeds_of(arm) if seeds is None else study.asked(arm, seeds) for arm in study.arms}
    every_seed = range(max(of.stop for of in wanted.values()))
    keys: dict[tuple[int, str, str], None] = {}  # a dict keeps the order and has each run once
    for arms, of in (*study.first, (tuple(study.arms), every_seed)):
        keys |= {
            (seed, dataset, arm): None
            for seed in of for dataset in datasets for arm in arms if seed in wanted[arm]
        }  # fmt: skip
    return [study.run(arm, dataset, seed) for seed, dataset, arm in keys]


def share(runs: list[PlannedRun], number: int, of: int) -> list[PlannedRun]:
    """The number-th of so many parts of a plan, counted from 1, in the plan's order.

    All arms of one seed on one data set are in one part: they are compared with each other, so one
    machine makes them.
    """
    blocks: dict[tuple[str, int], int] = {}  # in the order in which they are made
    for run in runs:
        blocks.setdefault((run.settings.dataset, run.settings.seed), len(blocks))
    return [run for run in runs if blocks[run.settings.dataset, run.settings.seed] % of == number - 1]


def run_name(dataset: str, arm: str, seed: int) -> str:
    """A run's name, unique in its study and fit for a folder."""
    return f"{dataset}--{_slug(arm)}--seed-{seed}"


def _slug(text: str) -> str:
    """A name fit for a folder."""
    return "-".join("".join(c if c.isalnum() or c in "._" else " " for c in text).split())


def image_shape(dataset: str) -> tuple[int, int]:
    """Channels, and pixels along a side."""
    return (1, 28) if dataset in ("fashion_mnist", "digits") else (3, 32)


def forward_flops(settings: Settings) -> float:
    """Floating-point operations of one image's way through SimpleConv, its multiplications and additions."""
    channels, size = image_shape(settings.dataset)
    total = 0.0
    for width in (channels * 9, *settings.widths):
        size -= 2
        total += 2 * 9 * channels * width * size**2
        channels = width
    return total


def epoch_flops(settings: Settings) -> float:
    """Floating-point operations of one epoch, training (three times as many as forward) and evaluation."""
    full = 60_000 if settings.dataset == "fashion_mnist" else 50_000
    n_train = settings.n_train or full - settings.n_held_out
    n_test = settings.n_evaluate or settings.n_held_out or 10_000
    return forward_flops(settings) * (3 * n_train + n_test)
