"""What takes the place of a data set that can't be had: two small sets that scikit-learn ships."""

from __future__ import annotations

import numpy as np
import torch

from .catalogue import DATASETS
from .images import Images


class StandInWarning(UserWarning):
    """The default data set could not be had and another one took its place.

    Examples
    --------
    >>> import warnings
    >>> from patchinit.data import load_images
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     images = load_images(root="no such folder", download=False)
    >>> caught[0].category.__name__, images.name, images.stand_in_for
    ('StandInWarning', 'photos', 'cifar10')
    """


def photos(split: str) -> Images:
    """32x32 crops on a grid of 8 pixels, for testing from the right quarter, else from the left."""
    from sklearn.datasets import load_sample_images  # a second, for who has the real ones

    side, crops, labels = DATASETS["photos"].size, [], []
    photos = load_sample_images().images  # china, flower: (427, 640, 3), uint8
    for label, photo in enumerate(photos):
        cut = photo.shape[1] * 3 // 4  # no pixel is in both splits
        part = np.array(photo[:, :cut] if split == "train" else photo[:, cut:])
        windows = torch.from_numpy(part).permute(2, 0, 1)
        windows = windows.unfold(1, side, 8).unfold(2, side, 8)  # (3, rows, cols, side, side)
        crops.append(windows.permute(1, 2, 0, 3, 4).reshape(-1, 3, side, side))
        labels += [label] * len(crops[-1])
    return Images(torch.cat(crops), torch.tensor(labels), ("china", "flower"), "photos", split)


def digits(split: str) -> Images:
    """scikit-learn's 8x8 digits, resized to 28x28; every fifth is a test image."""
    from sklearn.datasets import load_digits

    found = load_digits()
    keep = (np.arange(len(found.target)) % 5 == 0) == (split == "test")
    small = torch.from_numpy(found.images[keep]).float()[:, None] * (255 / 16)
    large = torch.nn.functional.interpolate(
        small, size=DATASETS["digits"].size, mode="bilinear", align_corners=False
    )
    names = tuple(str(digit) for digit in found.target_names)
    labels = torch.from_numpy(found.target[keep])
    return Images(large.round().to(torch.uint8), labels, names, "digits", split)
