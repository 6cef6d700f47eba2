"""Races between starts of one small network's first layer, all of them at once."""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, cross_entropy, unfold

HIDDEN = 16  # filters of the second convolution
#: Adam's learning rate is a tenth of `rate` in the last fifth of the epochs.
RECIPE = {"batch": 32, "epochs": 10, "rate": 0.01}


def races(
    images: Tensor, labels: Tensor, banks: Tensor, *, n_train: int, generator: torch.Generator
) -> Tensor:
    """Test accuracy after each epoch, (epochs, S, R), of R starts in S races; float64, 0 to 1.

    The network is a convolution, batch normalisation, a ReLU, a second convolution, the mean of
    each map, and a linear layer. The starts of one race share all other weights and their batches.

    Parameters
    ----------
    images : Tensor of shape (N, 1, s, s)
        The first `n_train` are trained on, the others tested.
    labels : Tensor of shape (N,)
        Classes, from 0.
    banks : Tensor of shape (S, R, F, 1, k, k)
        Filters of the first convolution; s is at least 2 k - 1.
    """
    (S, R, F), k = banks.shape[:3], banks.shape[-1]
    n, C, batch = S * R, int(labels.max()) + 1, int(RECIPE["batch"])
    # What the first convolution sees, (N, k * k, places): cut out once, as images come again.
    patches = unfold(images, k)
    size = images.shape[-1] - k + 1
    # No ReLU stands behind the second convolution, so the mean may be taken before it: of its k * k
    # values in each of these windows.
    pool = images.new_zeros(k, k, size, size)
    for top, left in product(range(k), repeat=2):
        pool[top, left, top : size - k + 1 + top, left : size - k + 1 + left] = 1
    pool = pool.flatten(2).flatten(0, 1).T / (size - k + 1) ** 2  # (places, k * k)
    first = banks.to(images).reshape(S, R * F, k * k).clone()

    def drawn(fans: int, *shape: int) -> Tensor:
        """Within Glorot's limit, the same for all starts of a race."""
        values = 2 * torch.rand((S, 1, *shape), generator=generator) - 1
        return (values * math.sqrt(6 / fans)).to(images).repeat_interleave(R, 1)

    second = drawn((F + HIDDEN) * k * k, HIDDEN, F, k, k).reshape(n, HIDDEN, F * k * k)
    last = drawn(HIDDEN + C, C, HIDDEN).reshape(n, C, HIDDEN)
    scale, shift = images.new_ones(n * F), images.new_zeros(n * F)  # of the normalisation
    biases = [images.new_zeros(n, 1, size) for size in (HIDDEN, C)]
    seen = images.new_zeros(n * F), images.new_ones(n * F)  # moments, for the test
    parameters = [first, scale, shift, second, last, *biases]
    for parameter in parameters:
        parameter.requires_grad_()

    def scores(of: Tensor, *, training: bool) -> Tensor:
        """Of patches (S, B, k * k, places): (n, B, C). Each race is one product a layer."""
        B = of.shape[1]
        maps = first @ of.transpose(1, 2).flatten(2)  # (S, R * F, B * places)
        maps = batch_norm(maps.reshape(1, n * F, -1), *seen, scale, shift, training).relu()
        pooled = maps.reshape(n, F, B, -1) @ pool  # (n, F, B, k * k)
        hidden = pooled.transpose(1, 2).flatten(2) @ second.transpose(1, 2) + biases[0]
        return hidden @ last.transpose(1, 2) + biases[1]

    epochs = int(RECIPE["epochs"])
    optimiser = torch.optim.Adam(parameters, lr=RECIPE["rate"], fused=True)
    slower = torch.optim.lr_scheduler.MultiStepLR(optimiser, [epochs - epochs // 5])
    course = []
    for _ in range(epochs):
        orders = torch.stack([torch.randperm(n_train, generator=generator) for _ in range(S)])
        for which in orders.split(batch, 1):
            found = scores(patches[which], training=True)
            wanted = labels[which].repeat_interleave(R, 0)
            optimiser.zero_grad()
            loss = cross_entropy(found.flatten(0, 1), wanted.flatten(), reduction="sum")
            (loss / which.shape[1]).backward()
            optimiser.step()
        slower.step()
        with torch.no_grad():
            found = scores(patches[n_train:].expand(S, -1, -1, -1), training=False)
        right = found.argmax(2) == labels[n_train:]
        course.append(right.double().mean(1).reshape(S, R))
    return torch.stack(course)
