"""What a reader may set in a chapter's first cell: what is set is right, or refused by its name."""

from __future__ import annotations

import math
import os
from numbers import Integral, Real
from typing import Any

from patchinit.data import load_images
from patchinit.data.catalogue import DATASETS, PUBLISHED
from patchinit.data.images import Images

PAPER_IMAGES = 100  #: images of the sample that the paper learns filters from
SEEDS = (0, 2**32 - 1)  #: the range of seeds that all generators take


def check_parameters(seed: Any = 0, /, **parameters: tuple) -> None:
    """Refuse numbers that a chapter can't compute with, by the parameter's name.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.
    **parameters : (value, least), (value, least, most) or (value, choices)
        By name, with the bounds that are allowed, or a list of all that is. Where the least is a
        float, fractions are.

    Raises
    ------
    ValueError
        It names the parameter, the value and what is allowed.

    Examples
    --------
    >>> check_parameters(3, n_draws=(2, 2), share=(0.1, 0.01, 0.5))
    """
    for name, (value, *bounds) in ({"seed": (seed, *SEEDS)} | parameters).items():
        if not _allowed(value, *bounds):
            raise ValueError(f"{name}={value!r} should be {_words('', *bounds)}")


def check_lists(**parameters: tuple) -> None:
    """The same of lists, of which each item is checked; ValueError also for none.

    >>> check_lists(shares=([0.1, 0.2], 0.01, 0.5))
    """
    for name, (values, *bounds) in parameters.items():
        if not (
            isinstance(values, (list, tuple))
            and values
            and all(_allowed(value, *bounds) for value in values)
        ):
            words = _words("a list of one or more, each ", *bounds)
            raise ValueError(f"{name}={values!r} should be {words}")


def _allowed(value: Any, least: Any, most: float = math.inf) -> bool:
    if isinstance(least, list):
        return value in least
    kind = Integral if isinstance(least, Integral) else Real
    return isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most


def _words(before: str, least: Any, most: float = math.inf) -> str:
    if isinstance(least, list):
        return f"{before}one of {', '.join(map(str, least))}"
    what = "an integer" if isinstance(least, Integral) else "a number"
    return f"{before}{what} " + (f"from {least} to {most}" if most < math.inf else f">= {least}")


def check_images(side: int, *, least: int = 1, classes: int = 1, **images: Images) -> None:
    """Refuse images that a chapter can't compute with, by the name of the parameter they come from.

    Parameters
    ----------
    side : int
        Pixels that an image needs at least in height and in width.
    least, classes : int
        How many images and classes are needed.
    **images : Images
        By parameter; those of `dataset_grey` must be grey, the others grey or of three channels.

    Raises
    ------
    ValueError
        It names the parameter, the images and the way out.
    """
    for name, found in images.items():
        channels, height, width = found.images.shape[1:]
        allowed = (1,) if name == "dataset_grey" else (1, 3)
        if channels not in allowed:
            wanted = "grey ones" if allowed == (1,) else "images of one channel or three"
            raise ValueError(f"{name}: {found!r}; name {wanted} here")
        if min(height, width) < side:
            raise ValueError(
                f"{name}: {found!r}, and this chapter needs {side} pixels or more each way; name "
                "larger images, or enlarge the pictures in the folder"
            )
        if len(found) < least or len(found.classes) < classes:
            raise ValueError(
                f"{name}: {found!r}, of {len(found.classes)} class"
                f"{'es'[: 2 * (len(found.classes) > 1)]}, and this chapter needs {least} or more "
                f"of {classes} or more"
            )
        pixels = found.images.flatten(1)
        if bool((pixels.amax(1) == pixels.amin(1)).all()):
            raise ValueError(f"{name}: {found!r}, each of them a single grey level; name others")


def load_test(train: Images, **parameter: str | os.PathLike | None) -> Images:
    """The test images beside those that a chapter's parameter gave as training images.

    ValueError, which names the parameter, where a folder of one's own is not divided.
    """
    ((name, given),) = parameter.items()
    try:
        return load_images(train.name if given is None else given, "test")
    except ValueError as error:
        raise ValueError(
            f"{name}={str(given)!r} has no test images, which this chapter needs ({error}); "
            "put the folders of the classes into two folders, train/ and test/"
        ) from error


def label_of(images: Images) -> str:
    """What a data set is called in a sentence: as the catalogue has it, or a folder's last name.

    >>> label_of(load_images("digits"))
    "scikit-learn's digits"
    """
    return DATASETS[images.name].label if images.name in DATASETS else images.name


def paper_set(images: Images) -> str:
    """Name of the paper's data set that images are, stand in for or, in their channels, are like.

    >>> paper_set(load_images("digits"))
    'fashion_mnist'
    """
    if images.name in PUBLISHED:
        return images.name
    like = (name for name in PUBLISHED if DATASETS[name].channels == images.images.shape[1])
    return images.stand_in_for or next(like)


def not_the_case(images: Images) -> str:
    """Why the paper's claims can't be decided by a sample of images; empty where they can.

    They are about samples of a hundred images of the paper's data sets.

    >>> not_the_case(load_images("digits"))
    "1,437 images of scikit-learn's digits; the claim is about CIFAR-10 and Fashion-MNIST"
    """
    if images.stand_in_for or images.name not in PUBLISHED:
        names = " and ".join(DATASETS[name].label for name in PUBLISHED)
        return f"{len(images):,} images of {label_of(images)}; the claim is about {names}"
    if len(images) < PAPER_IMAGES:
        few = f"{len(images)} image{'s'[: len(images) > 1]} of {label_of(images)}"
        return f"{few}; the claim is about samples of {PAPER_IMAGES}"
    return ""


def paper_settings(sample: Images, *, others: bool = True) -> str:
    """How a sentence begins that names the settings of the paper, for what is used in its place.

    `others` says whether the other settings are the paper's.

    >>> paper_settings(load_images("digits").sample(100))
    "The paper's settings"
    >>> paper_settings(load_images("digits").sample(5))
    "Not quite the paper's settings"
    """
    same = len(sample) == PAPER_IMAGES and others
    return "The paper's settings" if same else "Not quite the paper's settings"
