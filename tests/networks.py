"""Networks with one convolution of 8 filters, and what it should get."""

import pytest
import torch
from torch import nn

from patchinit import (
    initialize_all_layers_,
    initialize_first_layer_,
    make_filters,
)

BOTH = pytest.mark.parametrize("function", [initialize_first_layer_, initialize_all_layers_])
SHAPE = (8, 3, 3, 3)


def conv():
    torch.manual_seed(0)
    return nn.Conv2d(3, 8, 3)


def net(layer=None):
    return nn.Sequential(
        conv() if layer is None else layer, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


class Forward(nn.Module):
    """A convolution and what is done around it."""

    def __init__(self, how, **own):
        super().__init__()
        self.conv, self.how = conv(), how
        self.register_buffer("held", torch.arange(4.0))
        for name, value in own.items():
            setattr(self, name, value)

    def forward(self, *inputs, **named):
        return self.how(self, *inputs, **named)


def expected(images, method="principal_components"):
    return make_filters(method, images, SHAPE, generator=torch.Generator().manual_seed(3)).filters


def run(function, model, images, method="principal_components", **options):
    """The first bank, whichever function makes it."""
    generator = torch.Generator().manual_seed(3)
    made = function(model, images, method, generator=generator, **options)
    return next(iter(made.values())) if isinstance(made, dict) else made


def snapshot(model):
    """Values of all parameters and buffers, with their names, and every module's mode."""
    values = [*model.named_parameters(), *model.named_buffers()]
    modes = {name: module.training for name, module in model.named_modules()}
    return {name: value.detach().clone() for name, value in values}, modes


def assert_unchanged(before, model):
    values, modes = snapshot(model)
    assert modes == before[1] and values.keys() == before[0].keys()
    for name, value in values.items():
        assert torch.equal(value, before[0][name]), name


def assert_convolves_with(layer, filters, atol=1e-6):
    """Asked of the layer itself: its response to single pixels, without its own word for it."""
    weight = next(layer.parameters())
    size = filters[0].numel()
    pixels = torch.eye(size).reshape(size, *filters.shape[1:]).to(weight)
    with torch.no_grad():
        responded = layer(pixels).flatten(1).T.reshape(filters.shape).float()
    torch.testing.assert_close(responded, filters, atol=atol, rtol=0)


def assert_initialized(images, function, model, wanted):
    """The convolution becomes what is wanted; images and buffers are left as they were."""
    given, buffers = images.clone(), {n: v.clone() for n, v in model.named_buffers()}
    held = dict(model.named_buffers())
    run(function, model, given)
    assert torch.equal(given, images)
    now = dict(model.named_buffers())
    assert now.keys() == buffers.keys()
    for name, value in now.items():
        assert value is held[name] and torch.equal(value, buffers[name])
    torch.testing.assert_close(model.conv.weight.detach(), wanted, atol=2e-6, rtol=1e-5)
