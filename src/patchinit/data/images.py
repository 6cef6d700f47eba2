"""Labelled images of one split, whatever they come from."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Integral

import torch
from torch import Tensor

from ..patches import check_generator

SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images of one split. Unpacks as ``images, labels, classes``.

    Examples
    --------
    >>> from patchinit.data import load_images
    >>> images, labels, classes = load_images("digits", "test")
    >>> images.shape, labels[0], classes[0]
    (torch.Size([360, 1, 28, 28]), tensor(0), '0')
    """

    images: Tensor  #: (N, C, H, W), uint8
    labels: Tensor  #: (N,), int64, indices into classes
    classes: tuple[str, ...]
    name: str
    split: str  #: "train" or "test"
    stand_in_for: str | None = None  #: the data set that could not be had

    def __iter__(self) -> Iterator:
        return iter((self.images, self.labels, self.classes))

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Images:
        """n of the images, drawn uniformly without replacement.

        Examples
        --------
        >>> from patchinit.data import load_images
        >>> load_images("digits").sample(50)
        50 train images of digits, 1 x 28 x 28
        """
        if not isinstance(n, Integral) or not 1 <= n <= len(self):
            raise ValueError(
                f"n={n!r} should be an integer between 1 and {len(self)}, "
                f"the {self.split} images of {self.name}"
            )
        check_generator(generator)
        chosen = torch.randperm(len(self), generator=generator)[: int(n)]
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def __repr__(self) -> str:
        channels, height, width = self.images.shape[1:]
        text = f"{len(self):,} {self.split} images of {self.name}, {channels} x {height} x {width}"
        return f"{text}, standing in for {self.stand_in_for}" if self.stand_in_for else text

    def _repr_html_(self) -> str:
        if self.stand_in_for is None:
            return f'<p class="data-source">{html.escape(repr(self))}</p>'
        return (
            '<div class="admonition warning stand-in">'
            '<p class="admonition-title">Stand-in data</p><p>'
            f"{html.escape(self.stand_in_for)} could not be had where this page was made. "
            f"It was computed on {html.escape(self.name)} instead ({html.escape(repr(self))}): "
            "its numbers say nothing about the paper.</p></div>"
        )
