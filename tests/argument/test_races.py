"""Many races at once are what each would be alone."""

import pytest
import torch
from torch import nn

from companion.argument.races import HIDDEN, RECIPE, races
from patchinit.filters import random_orthonormal


@pytest.fixture
def setting(generator):
    images = torch.rand(90, 1, 8, 8, generator=generator).double()
    labels = (4 * images[:, 0, 2:5, 2:5].mean((1, 2))).long().clamp(0, 2)
    banks = [random_orthonormal((5, 1, 3, 3), generator=generator).filters for _ in range(6)]
    return images, labels, torch.stack(banks).unflatten(0, (3, 2)).double()


def run(setting, banks, seed=0):
    images, labels, _ = setting
    draw = torch.Generator().manual_seed(seed)
    return races(images, labels, banks, n_train=60, generator=draw)


def test_a_race_is_a_plain_network_trained_alone(setting):
    """The same draws, in the same order, for a network whose mean stands where it is read of."""
    images, labels, banks = setting
    found = run(setting, banks[:1])
    draw = torch.Generator().manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(1, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, HIDDEN, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(HIDDEN, 3),
    ).double()  # fmt: skip
    with torch.no_grad():
        plain[0].weight.copy_(banks[0, 1])
        for layer in (plain[3], plain[6]):
            nn.init.xavier_uniform_(layer.weight)
            limit = (6 / sum(nn.init._calculate_fan_in_and_fan_out(layer.weight))) ** 0.5
            draws = torch.rand(layer.weight.shape, generator=draw)
            layer.weight.copy_((2 * draws - 1) * limit)
            layer.bias.zero_()
    optimiser = torch.optim.Adam(plain.parameters(), lr=RECIPE["rate"])
    for epoch in range(RECIPE["epochs"]):
        optimiser.param_groups[0]["lr"] = RECIPE["rate"] / (10 if epoch >= 8 else 1)
        plain.train()
        for which in torch.randperm(60, generator=draw).split(RECIPE["batch"]):
            optimiser.zero_grad()
            nn.functional.cross_entropy(plain(images[which]), labels[which]).backward()
            optimiser.step()
        with torch.no_grad():
            right = plain.eval()(images[60:]).argmax(1) == labels[60:]
        assert found[epoch, 0, 1] == right.double().mean()
    assert found[-1, 0, 1] > 0.5


def test_equal_starts_are_level_and_races_differ(setting):
    banks = setting[2][:, :1].expand(3, 2, 5, 1, 3, 3)
    found = run(setting, banks)
    assert found.shape == (RECIPE["epochs"], 3, 2)
    assert torch.equal(found[..., 0], found[..., 1])
    assert not torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found, run(setting, banks))
    assert not torch.equal(found, run(setting, banks, seed=1))
