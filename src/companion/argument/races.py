"""Races between starts of one small network's first layer, all of them at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

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
    # No ReLU stands behind the second convolution, so the mean may be taken before it.
    first = nn.Conv2d(S, n * F, k, groups=S, bias=False)
    second = nn.Conv2d(n * F, n * HIDDEN, k, groups=n)
    last = nn.Conv2d(n * HIDDEN, n * C, 1, groups=n)
    model = nn.Sequential(
        first, nn.BatchNorm2d(n * F), nn.ReLU(),
        nn.AvgPool2d(images.shape[-1] - 2 * (k - 1), stride=1), second, last, nn.Flatten(),
    ).to(images)  # fmt: skip
    with torch.no_grad():
        first.weight.copy_(banks.flatten(0, 2))
        for layer, fans in ((second, (F + HIDDEN) * k * k), (last, HIDDEN + C)):
            each = layer.weight.unflatten(0, (S, R, -1))
            drawn = 2 * torch.rand(each[:, :1].shape, generator=generator) - 1
            each.copy_(drawn * math.sqrt(6 / fans))  # Glorot's limit
        for bias in (second.bias, last.bias):
            assert bias is not None  # as these layers were made
            bias.zero_()
    epochs = int(RECIPE["epochs"])
    optimiser = torch.optim.Adam(model.parameters(), lr=RECIPE["rate"])
    slower = torch.optim.lr_scheduler.MultiStepLR(optimiser, [epochs - epochs // 5])
    course = []
    for _ in range(epochs):
        model.train()
        orders = torch.stack([torch.randperm(n_train, generator=generator) for _ in range(S)])
        for which in orders.split(batch, 1):
            scores = model(images[which, 0].transpose(0, 1)).unflatten(1, (n, C))
            wanted = labels[which].repeat_interleave(R, 0)
            optimiser.zero_grad()
            loss = cross_entropy(scores.permute(1, 2, 0), wanted, reduction="sum")
            (loss / which.shape[1]).backward()
            optimiser.step()
        slower.step()
        model.eval()
        with torch.no_grad():
            scores = model(images[n_train:].expand(-1, S, -1, -1)).unflatten(1, (S, R, C))
        right = scores.argmax(3) == labels[n_train:, None, None]
        course.append(right.double().mean(0))
    return torch.stack(course)
