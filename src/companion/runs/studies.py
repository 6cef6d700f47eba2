"""The named grids of runs, and the plan that one amounts to."""

from __future__ import annotations

from patchinit.filters.methods import METHODS

from .plan import Study

# What Keras sets otherwise where nobody says anything.
KERAS = {"batch_size": 32, "bn_eps": 1e-3, "bn_momentum": 0.01, "adam_eps": 1e-7, "bias": True}


def arm_name(settings: dict) -> str:
    """An arm's name, from the settings that make it, in which the study's arms differ."""
    if others := settings.get("others"):  # every layer starts that way
        return "LSUV, of convolutions only" if others == "lsuv" else others
    parts = [settings["method"]]
    if (norm := settings.get("norm", "own")) != "own":
        words = {"glorot": "Glorot's norm", "raw": "raw norm"}
        parts[0] += f" at {words.get(norm) or f'norm {norm:g}'}"
    if n := settings.get("n_images"):
        parts.append(f"{n:,} image{'s'[: n > 1]}")
    if widths := settings.get("widths"):
        parts.append(f"{len(widths)}x{widths[0]}")
    if layers := settings.get("layers"):
        parts.append({"first": "first layer", "all": "every layer"}[layers])
    if settings.get("frozen"):
        parts.append("frozen")
    if share := settings.get("label_share"):
        parts.append(f"{share:.0%} of the labels")
    if precision := settings.get("precision"):
        parts.append(precision)
    if settings.get("optimizer") == "sgd":
        parts.append("SGD")
    if settings.items() >= KERAS.items():
        parts.append("Keras's defaults")
    return ", ".join(parts)


def _named(*arms: dict) -> dict[str, dict]:
    return {arm_name(arm): arm for arm in arms}


def _of(*methods: str, **settings: object) -> list[dict]:
    """Arms of some methods that share settings."""
    return [{"method": method, **settings} for method in methods]


PAPER = (  # the paper's four, and a rotation that knows nothing of the data
    "glorot_uniform",
    "principal_components",
    "kmeans",
    "random_patches",
    "random_orthonormal",
)
PAPER_ARMS = _named(*_of(*PAPER))
SHORT = {"epochs": 30, "drop_after": 24}  # the schedule at an eighth of its length
NORMS = (0.25, 0.5, 1.0, 2.0, 5.0)
# A tenth of the images, narrow layers and few epochs: what a CPU can do.
REDUCED = {
    "n_train": 5_000,
    "n_evaluate": 2_000,
    "widths": (32,) * 10,
    "epochs": 15,
    "drop_after": 12,
}


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


_BOTH = ("glorot_uniform", "principal_components")
_SGD = {"optimizer": "sgd", "learning_rate": 0.05}
_NORM_ARMS = [
    *_of(*PAPER),
    *_of(*PAPER[1:], norm="glorot"),
    *(
        {"method": method, "norm": norm}
        for method in _BOTH
        for norm in NORMS
        if (method, norm) != ("principal_components", 1.0)  # its own norm
    ),
]
_NORM_ARMS += [arm | _SGD for arm in _NORM_ARMS if arm["method"] in _BOTH]
# What shows the course with the norm in the fewest runs. The methods' own norms are in paper-small.
_FEW_NORM_ARMS = [
    *_of("glorot_uniform", norm=1.0),
    *_of("principal_components", "kmeans", "random_orthonormal", norm="glorot"),
    *_of(*_BOTH, norm=0.25),
    *_of(*_BOTH, norm=5.0),
    *_of(*_BOTH, **_SGD),
    *_of("glorot_uniform", norm=1.0, **_SGD),
    *_of("principal_components", norm="glorot", **_SGD),
]
_LABEL_ARMS = [arm for share in (0.01, 0.05, 0.1, 1.0) for arm in _of(*PAPER, label_share=share)]
_EVERY_LAYER = [
    *_of("glorot_uniform"),
    *(
        {"method": method, "layers": layers}
        for method in ("principal_components", "kmeans")
        for layers in ("first", "all")
    ),
    *_of("random_orthonormal", others="orthogonal"),
    *_of("random_orthonormal", others="lsuv"),
]
_OTHER_STARTS = [
    *_of("glorot_uniform", "kaiming_normal", "pca_whitening", "kmedoids"),
    *({"method": "principal_components", "n_images": n} for n in (1, 10, 100, 1_000, 10_000)),
]
# The registered runs (book/protocol.md): ten blocks of 16 filters,
# what two cores can carry through 250 epochs.
NARROW = {"widths": (16,) * 10, "precision": "bf16"}
NARROW_FP32 = NARROW | {"precision": "fp32"}  # since the change of 2026-11-28
FULL_LENGTH = {"epochs": 250, "drop_after": 200}
_FROZEN = ("principal_components", "random_orthonormal", "cosine_basis")
_GRID_ARMS = [
    *_of(*PAPER, "cosine_basis"),
    *_of("glorot_uniform", norm=1.0),
    *_of("principal_components", norm="glorot"),
    *_of(*_FROZEN, frozen=True),
]
_NULL_ARMS = [
    *_of("glorot_uniform"),
    *_of("glorot_uniform", norm=1.0),
    *_of("random_orthonormal", "principal_components"),
]
_BEYOND_ARMS = [
    *_of(*_BOTH),
    *_of("principal_components", "kmeans", layers="all"),
    *_of(*_BOTH, **KERAS),
    *(arm for share in (0.01, 0.05, 0.1) for arm in _of(*_BOTH, label_share=share)),
]
# The second registration, of 2026-11-30: fresh seeds, and stages of their own beside B and C.
_ACCURACY = (*_BOTH, "cosine_basis")
_FRESH = _named(*_of(*_ACCURACY, "random_orthonormal"))
_FILLED_UP: dict[str, int | range] = {
    "random_patches": range(5, 6),
    **dict.fromkeys(("random_orthonormal", "cosine_basis"), range(4, 6)),
    **dict.fromkeys(map(arm_name, _GRID_ARMS[6:]), range(3, 6)),
}
_WIDTH_ARMS = _named(*(arm for n in (8, 32) for arm in _of(*_ACCURACY, widths=(n,) * 10)))
_LABELS_ARMS = _named(*(arm for n in (0.01, 0.05, 0.1) for arm in _of(*_BOTH, label_share=n)))
_PRECISION_ARMS = [
    {"method": method, "precision": precision}
    for method in ("principal_components", "glorot_uniform")
    for precision in ("fp32", "bf16")
]

STUDIES = {
    study.name: study
    for study in (
        Study(
            "anchor",
            "The paper's protocol, 250 epochs, on Fashion-MNIST in a narrow network.",
            PAPER_ARMS,
            NARROW | FULL_LENGTH,
            ("fashion_mnist",),
            n_seeds=3,
            seeds=dict.fromkeys(_BOTH, 6),
            on_request=dict.fromkeys(_BOTH, range(8)),  # claim 2's third look
            first=(
                (_BOTH, range(4)),
                (("kmeans",), range(1)),
                (_BOTH, range(6)),
                (tuple(PAPER_ARMS), range(1)),
            ),
            stage="A",
        ),
        Study(
            "grid",
            "Accuracy, change and frozen layers at 30 epochs, in a narrow network.",
            _named(*_GRID_ARMS),
            NARROW_FP32 | SHORT,
            n_seeds=3,
            stage="B",
            seeds={
                "glorot_uniform": 6,
                "principal_components": 6,
                "kmeans": 6,
                "random_patches": 5,
                "random_orthonormal": 4,
                "cosine_basis": 4,
            },
        ),
        Study(
            "null",
            "How far do filters turn when the labels are noise?",
            _named(*_NULL_ARMS),
            NARROW_FP32 | {"epochs": 3, "drop_after": 3, "labels": "redrawn"},
            n_seeds=2,
            stage="C",
        ),
        Study(
            "anchor-cifar10",
            "The paper's protocol, 250 epochs, on CIFAR-10 in a narrow network.",
            PAPER_ARMS,
            NARROW | FULL_LENGTH,
            ("cifar10",),
            n_seeds=3,
            first=((_BOTH, range(3)),),
            stage="D",
        ),
        Study(
            "beyond",
            "Every layer, few labels, Keras's defaults, at 30 epochs in a narrow network.",
            _named(*_BEYOND_ARMS),
            NARROW_FP32 | SHORT,
            n_seeds=3,
            stage="E",
            beside=("grid",),
        ),
        Study(
            "confirm",
            "Do tidy filters end above Glorot's, on seeds that nobody has seen?",
            _FRESH,
            NARROW_FP32 | SHORT,
            ("cifar10",),
            seeds=dict.fromkeys(_FRESH, range(6, 10)),
            stage="F1",
            beside=("grid",),
        ),
        Study(
            "six-seeds",
            "Every arm of stage B with six seeds, on CIFAR-10.",
            {name: arm for name, arm in _named(*_GRID_ARMS).items() if name in _FILLED_UP},
            NARROW_FP32 | SHORT,
            ("cifar10",),
            seeds=_FILLED_UP,
            stage="F2",
            beside=("grid",),
        ),
        Study(
            "null-all",
            "How far do the filters of every method turn when the labels are noise?",
            _named(*_NULL_ARMS, *_of("kmeans", "cosine_basis", "random_patches")),
            NARROW_FP32 | {"epochs": 3, "drop_after": 3, "labels": "redrawn"},
            n_seeds=3,
            seeds=dict.fromkeys(_named(*_NULL_ARMS), range(2, 3)),
            stage="C+",
            beside=("null",),
        ),
        Study(
            "unspoiled",
            "Components and Glorot where training does not learn its images by heart.",
            _named(*_of(*_ACCURACY)),
            NARROW_FP32 | {"augmentation": "flip_crop", "epochs": 60, "drop_after": 48},
            ("fashion_mnist",),
            n_seeds=6,
            stage="H",
        ),
        Study(
            "every-layer",
            "Is more gained if every layer starts from data? Claim 24.",
            _named(*_of("principal_components", "kmeans", layers="all")),
            NARROW_FP32 | SHORT,
            n_seeds=3,
            stage="E1",
            beside=("grid",),
        ),
        Study(
            "few-labels",
            "Do filters from data save labels? Claim 25.",
            _LABELS_ARMS,
            NARROW_FP32 | SHORT,
            ("cifar10",),
            n_seeds=3,
            stage="E2",
            beside=("grid",),
        ),
        Study(
            "width",
            "Does the lead live on the network being narrow?",
            _WIDTH_ARMS,
            {"precision": "fp32"} | SHORT,
            ("cifar10",),
            n_seeds=4,
            first=((tuple(_WIDTH_ARMS)[:3], range(4)),),
            stage="G",
        ),
        Study(
            "wide",
            "What is left of the lead in a network nearer to the paper's accuracy?",
            _named(*_of(*_ACCURACY)),
            NARROW
            | {"widths": (64,) * 10, "augmentation": "flip_crop", "epochs": 40, "drop_after": 32},
            ("cifar10",),
            n_seeds=3,
            stage="W",
        ),
        Study(
            "grid-bf16",
            "The runs of stage B that were made in bf16 before it changed to fp32.",
            _named(*(arm for arm in _GRID_ARMS if "frozen" not in arm)),
            NARROW | SHORT,
            ("cifar10",),
            n_seeds=1,
        ),
        Study(
            "precision",
            "Does bfloat16 change what is measured?",
            _named(*_PRECISION_ARMS),
            {"widths": (16,) * 10, "n_train": 20_000, "epochs": 8, "drop_after": 8},
            ("cifar10",),
            n_seeds=12,
            seeds=dict.fromkeys(_named(*_PRECISION_ARMS[2:]), 6),
        ),
        Study(
            "pilot",
            "Which widths, augmentation and batch size come closest to the paper's accuracies?",
            _pilot_arms(),
            SHORT | {"n_held_out": 5_000},
            n_seeds=1,
        ),
        Study(
            "paper",
            "The paper's experiment, for a GPU: Figures 6 to 9 and Table 1.",
            PAPER_ARMS,
            {"precision": "bf16"},
            n_seeds=3,
        ),
        Study(
            "norms",
            "Do filters change by what they hold, or by how long they are?",
            _named(*_NORM_ARMS),
            SHORT,
        ),
        Study(
            "frozen",
            "How good are the first filters, if they are never trained?",
            {method: {"method": method, "frozen": True} for method in METHODS},
            SHORT,
        ),
        Study("labels", "Do filters from data save labels?", _named(*_LABEL_ARMS), SHORT),
        Study(
            "layers",
            "Is more gained if every layer starts from data?",
            _named(*_EVERY_LAYER),
            SHORT,
        ),
        Study(
            "inits",
            "Other starts, and components of fewer and more images.",
            _named(*_OTHER_STARTS),
            SHORT,
        ),
        Study(
            "paper-small",
            "The paper's arms on a tenth of the images, for a CPU. No finding about full runs.",
            PAPER_ARMS,
            REDUCED,
            n_seeds=3,
        ),
        Study(
            "norms-small",
            "Norms beside those of paper-small, for a CPU. No finding about full runs.",
            _named(*_FEW_NORM_ARMS),
            REDUCED,
            n_seeds=3,
            beside=("paper-small",),
        ),
        Study(
            "frozen-small",
            "The paper's arms with a first layer never trained, for a CPU. "
            "No finding about full runs.",
            {name: arm | {"frozen": True} for name, arm in PAPER_ARMS.items()},
            REDUCED,
            n_seeds=3,
            beside=("paper-small",),
        ),
    )
}
