"""Everything that makes up one training run, as a value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields

import torch

from patchinit.data.catalogue import DATASETS
from patchinit.filters.methods import METHODS

_CHOICES: dict[str, Collection[str]] = {
    "dataset": DATASETS,
    "method": METHODS,
    "layers": ("first", "all"),
    "others": ("glorot_uniform", "orthogonal", "lsuv"),
    "optimizer": ("adam", "sgd"),
    "augmentation": ("none", "flip_crop"),
    "precision": ("fp32", "tf32", "bf16"),
    "labels": ("true", "redrawn"),
}
_AT_LEAST = {
    "seed": 0,
    "n_images": 1,
    "epochs": 1,
    "drop_after": 0,
    "batch_size": 2,
    "n_held_out": 0,
}


@dataclass(frozen=True)
class Settings:
    """One training run. Defaults: the paper's protocol (section 4.2) on CIFAR-10, Glorot uniform.

    What the paper leaves open has the value that book/choices.md gives reasons for.

    Raises
    ------
    ValueError
        A value out of its range; the text names the field, the value and the bound.

    Examples
    --------
    >>> settings = Settings(method="kmeans", norm="glorot", seed=3)
    >>> settings.rate(200), settings.rate(201)
    (0.001, 0.0001)
    >>> Settings.from_json(settings.to_json()) == settings
    True
    """

    dataset: str = "cifar10"  #: "cifar10", "fashion_mnist", or an offline stand-in
    method: str = "glorot_uniform"  #: initialises the first layer (or all); one of METHODS
    #: Euclidean norm of each filter that the method makes. A number > 0 is that; "own" what the
    #: method stands for, so 1 for filters from data; "raw" as computed, a cluster's centre with
    #: the length that it has; "glorot" the mean that Glorot's filters for the first layer have
    norm: float | str = "own"
    layers: str = "first"  #: "first" or "all", which the method initialises
    #: how the other layers start; "orthogonal", or "lsuv", which scales convolutions only
    others: str = "glorot_uniform"
    frozen: bool = False  #: the first layer is never trained
    seed: int = 0  #: of the images, the weights and the order; runs of equal seed are paired
    n_images: int = 100  #: images that the filters are learned from, drawn anew for each seed
    n_train: int | None = None  #: training images, drawn anew for each seed; None is all
    #: "true", or "redrawn" at random for every image in every epoch, so that only noise is learned
    labels: str = "true"
    #: share of the training images whose labels are used; the steps stay as many
    label_share: float = 1.0
    #: training images to evaluate on, the same for every seed; 0 takes the test split
    n_held_out: int = 0
    #: images, the first ones, that an epoch is evaluated on; None is all (as at the end)
    n_evaluate: int | None = None
    epochs: int = 250
    learning_rate: float = 1e-3  #: for the first drop_after epochs
    drop_after: int = 200  #: epochs; a tenth of the learning rate afterwards
    batch_size: int = 128  #: images
    optimizer: str = "adam"  #: "adam" (no decay), or "sgd" with momentum 0.9
    #: "none" or "flip_crop", mirrored at random and moved by up to 4 pixels
    augmentation: str = "none"
    widths: tuple[int, ...] = (64,) * 10  #: filters of the blocks after the first
    #: convolutions have biases, which the normalisation behind them subtracts again
    bias: bool = False
    bn_eps: float = 1e-5  #: added to the variance in batch normalisation; Keras has 1e-3
    #: weight of a new batch in its running statistics; Keras's momentum of 0.99 is 0.01 here
    bn_momentum: float = 0.1
    adam_eps: float = 1e-8  #: added to the denominator of Adam's step; Keras has 1e-7
    #: "fp32" is IEEE throughout; "tf32" lets a GPU's convolutions and products use TF32; "bf16" has
    #: the blocks after the first in bfloat16, while weights, the first block, the head and the loss
    #: stay in IEEE fp32
    precision: str = "fp32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        for name, values in _CHOICES.items():
            if getattr(self, name) not in values:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} should be one of {', '.join(values)}"
                )
        for name, low in _AT_LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < low:
                raise ValueError(f"{name}={value!r} should be a whole number >= {low}")
        for name in ("n_train", "n_evaluate"):
            if getattr(self, name) is not None and getattr(self, name) < 2:
                raise ValueError(f"{name}={getattr(self, name)} should be >= 2, or None for all")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate={self.learning_rate} should be > 0 and finite")
        if not 0 < self.label_share <= 1:
            raise ValueError(f"label_share={self.label_share} should be > 0 and <= 1")
        most = (
            DATASETS[self.dataset].size - 1
        ) // 2 - 1  # a block takes 2 pixels, as does the first
        if not 1 <= len(self.widths) <= most or min(self.widths) < 1:
            raise ValueError(
                f"widths={self.widths} should have at least one width and, for {self.dataset}, "
                f"at most {most}, each >= 1"
            )
        named = self.norm in ("own", "raw", "glorot")
        if not named and not (isinstance(self.norm, (int, float)) and 0 < self.norm < float("inf")):
            raise ValueError(f"norm={self.norm!r} should be a number > 0, 'own', 'raw' or 'glorot'")
        for name, below in (
            ("bn_eps", float("inf")),
            ("adam_eps", float("inf")),
            ("bn_momentum", 1),
        ):
            if not 0 < getattr(self, name) < below:
                raise ValueError(f"{name}={getattr(self, name)} should be > 0 and < {below}")

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 1."""
        return self.learning_rate if epoch <= self.drop_after else self.learning_rate / 10

    def generator(self, purpose: str, epoch: int = 0) -> torch.Generator:
        """Random numbers for one purpose, the same whatever the method, device and earlier draws.

        That no state runs on from one draw to the next is what makes runs of one seed paired, and
        a resumed run the same as one that was never stopped.
        """
        digest = hashlib.sha256(f"{self.seed}/{purpose}/{epoch}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse of `to_json`; ValueError for a field that is not known."""
        values = json.loads(text)
        # A field of the registered code's records, which has one value in all of them.
        if (head := values.pop("head", "average")) != "average":
            raise ValueError(
                f"head={head!r} is no more: SimpleConv takes the 'average' of each map"
            )
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(
                f"settings have unknown fields: {', '.join(sorted(unknown))}; "
                "they are of another version"
            )
        return cls(**values)

    def differences(self, other: Settings) -> str:
        """Fields in which two settings differ, as text; empty if they are equal."""
        ours, theirs = asdict(self), asdict(other)
        return ", ".join(
            f"{name}: {ours[name]!r} -> {theirs[name]!r}"
            for name in ours
            if ours[name] != theirs[name]
        )
