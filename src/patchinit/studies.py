"""The named grids of runs, and the plan that one amounts to."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Study:
    """Arms that are compared, on the same seeds and data sets."""

    name: str
    question: str  #: what it is to answer
    arms: dict[str, dict]  #: by name, the settings in which the arm differs from `common`
    common: dict = field(default_factory=dict)  #: settings of all arms
    datasets: tuple[str, ...] = BOTH
    n_seeds: int = 5

    @property
    def reduced(self) -> bool:
        """Whether it is too small to say anything about the paper's full runs."""
        return self.common.get("n_train") is not None


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
        arms[f"{method} at Glorot's norm"] = {"method": method, "norm": "keep"}
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

STUDIES = {
    study.name: study
    for study in (
        Study(
            "pilot", "Which widths, augmentation and batch size come closest to the paper's accuracies?",
            _pilot_arms(), SHORT | {"n_held_out": 5_000}, n_seeds=1,
        ),
        Study("paper", "The paper's experiment: Figures 6 to 9 and Table 1.", PAPER_ARMS, n_seeds=3),
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


def plan(study: Study, seeds: range | None = None, **overrides: object) -> list[PlannedRun]:
    """Every run of a study, one seed after the other, so that what is finished early can be compared.

    Parameters
    ----------
    study : Study
    seeds : range, optional
        Default: the study's own number, from 0.
    **overrides
        Settings that replace the study's.

    Raises
    ------
    ValueError
        What `Settings` refuses.
    """
    seeds = range(study.n_seeds) if seeds is None else seeds
    runs = []
    for seed in seeds:
        for dataset in overrides.get("datasets", study.datasets):
            for arm, own in study.arms.items():
                values = study.common | own | {k: v for k, v in overrides.items() if k != "datasets"}
                name = f"{dataset}--{_slug(arm)}--seed-{seed}"
                runs.append(PlannedRun(name, study.name, arm, Settings(dataset=dataset, seed=seed, **values)))
    return runs


def _slug(text: str) -> str:
    """A name fit for a folder."""
    return "-".join("".join(c if c.isalnum() or c in "._" else " " for c in text).split())


def forward_flops(settings: Settings) -> float:
    """Floating-point operations of one image's way through SimpleConv, its multiplications and additions."""
    channels, size = (1, 28) if settings.dataset in ("fashion_mnist", "digits") else (3, 32)
    total = 0.0
    for width in (channels * 9, *settings.widths):
        size -= 2
        total += 2 * 9 * channels * width * size**2
        channels = width
    return total
