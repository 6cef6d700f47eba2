"""What the readout is given, against the layers that everyone would write."""

import pytest
import torch
from torch import nn

from companion.argument.readout import averaged_maps


@pytest.mark.parametrize(("channels", "size", "k"), [(3, 32, 3), (1, 28, 3), (3, 16, 5)])
def test_as_the_layers_one_after_the_other(generator, channels, size, k):
    shape = (23, channels, size, size)  # no multiple of the images that are taken at a time
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    filters = torch.randn(13, channels, k, k, generator=generator)
    filters[:3] *= 1e-3
    layers = nn.Sequential(
        nn.BatchNorm2d(13, eps=1e-14, affine=False), nn.ReLU(), nn.AdaptiveAvgPool2d(4)
    ).double()  # fmt: skip
    maps = nn.functional.conv2d(images.double() / 255, filters.double(), stride=2)
    expected = layers(maps).flatten(2)
    torch.testing.assert_close(averaged_maps(filters, images).double(), expected, atol=2e-5, rtol=0)
