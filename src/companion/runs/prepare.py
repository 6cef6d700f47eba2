"""From the settings of a run to its network and images, before the first step."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from patchinit.data.images import Images
from patchinit.data.load import load_images
from patchinit.filters.bank import FilterBank
from patchinit.init import initialize_all_layers_, initialize_first_layer_

from .settings import Settings
from ..simpleconv import SimpleConv
from ..starts import glorot_uniform_, lsuv_, orthogonal_

Load = Callable[[str, str], Images]  # (data set, split) -> images


@functools.lru_cache(maxsize=4)
def load(dataset: str, split: str) -> Images:
    """A data set, kept for the next run of this process."""
    return load_images(dataset, split)


class Prepared(NamedTuple):
    """What a run starts from."""

    model: SimpleConv
    train_set: Images
    test_set: Images
    filter_images: Tensor  #: (n,), which of the training images the filters were learned from
    learned: dict  #: of the first layer's filters (eigenvalues, or inertia, shares and iterations)


def prepare(settings: Settings, load: Load = load, *, learn: bool = True) -> Prepared:
    """The model, initialised, with its training images and those to evaluate on.

    All that does not depend on the method is the same for every run of one seed: the other layers'
    weights, the images that filters are learned from, the training images.

    Parameters
    ----------
    settings : Settings
    load : function of (data set, split), optional
    learn : bool
        Without it no filters are learned and all layers keep Glorot's start: for a run that goes on
        from its checkpoint.

    Examples
    --------
    >>> prepared = prepare(Settings(dataset="digits", method="principal_components", n_train=64))
    >>> prepared.model.first_layer.weight.shape, len(prepared.train_set)
    (torch.Size([9, 1, 3, 3]), 64)
    >>> len(prepared.learned["eigenvalues"])
    9
    """
    train_set, test_set = _splits(settings, load)
    drawn = torch.randperm(len(train_set), generator=settings.generator("filter images"))[
        : settings.n_images
    ]
    if len(drawn) < settings.n_images:
        raise ValueError(
            f"n_images={settings.n_images} should be at most {len(train_set)}, the training images"
        )
    images = train_set.images[drawn]
    model = SimpleConv(
        images.shape[1],
        len(train_set.classes),
        widths=settings.widths,
        bias=settings.bias,
        bn_eps=settings.bn_eps,
        bn_momentum=settings.bn_momentum,
    )
    glorot_uniform_(model, generator=settings.generator("weights"))
    learned = _initialize_(model, images, settings) if learn else {}
    if settings.n_train is not None:
        train_set = train_set.sample(
            settings.n_train, generator=settings.generator("training images")
        )
    return Prepared(model, train_set, test_set, drawn, learned)


def _splits(settings: Settings, load: Load) -> tuple[Images, Images]:
    """All images that may be trained on, and those to evaluate on."""
    train_set = load(settings.dataset, "train")
    if not settings.n_held_out:
        return train_set, load(settings.dataset, "test")
    if settings.n_held_out >= len(train_set) - 1:
        raise ValueError(
            f"n_held_out={settings.n_held_out} leaves nothing of {len(train_set)} training images"
        )
    order = torch.randperm(
        len(train_set), generator=torch.Generator().manual_seed(0)
    )  # for every seed alike
    return _part(train_set, order[settings.n_held_out :]), _part(
        train_set, order[: settings.n_held_out]
    )


def _part(images: Images, chosen: Tensor) -> Images:
    return replace(images, images=images.images[chosen], labels=images.labels[chosen])


def _initialize_(model: SimpleConv, images: Tensor, settings: Settings) -> dict:
    """Initialise as the settings say a model that has Glorot's start.

    Returns what was learned on the way.
    """
    glorot_norm = model.first_layer.weight.detach().flatten(1).norm(dim=1).mean().item()
    if settings.others == "orthogonal":
        orthogonal_(model, generator=settings.generator("weights"))
    elif settings.others == "lsuv":
        lsuv_(model, images, generator=settings.generator("weights"))
    norm = glorot_norm if settings.norm == "glorot" else settings.norm
    generator = settings.generator("filters")
    if settings.layers == "first":
        return _learned(
            initialize_first_layer_(model, images, settings.method, norm=norm, generator=generator)
        )
    # Components are at most C*9; wider layers than that keep the other layers' start.
    banks = initialize_all_layers_(
        model, images, settings.method, too_many="keep", norm=norm, generator=generator
    )
    return _learned(banks["features.0"]) if "features.0" in banks else {}


def _learned(bank: FilterBank) -> dict:
    """How a bank was learned (not the filters, nor where they went), as plain numbers and lists."""
    values = {
        field.name: getattr(bank, field.name)
        for field in dataclasses.fields(bank)
        if field.name not in ("filters", "layer", "beside", "parts", "settings", "learned_from")
    }
    return {
        name: value.tolist() if isinstance(value, Tensor) else value
        for name, value in values.items()
    }
