"""SimpleConv against hand-counted sizes, and what it refuses."""

import copy

import pytest
import torch
from torch import nn

from companion.simpleconv import SimpleConv


def n_parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    "options, by_hand",
    [
        # First block 3*9*27 weights and 2*27 of its normalisation, second 27*9*64 + 128, nine more
        # of 64*9*64 + 128, head 64*10 + 10.
        ({}, (729 + 54) + (15_552 + 128) + 9 * (36_864 + 128) + 650),
        ({"in_channels": 1}, (81 + 18) + (5_184 + 128) + 9 * (36_864 + 128) + 650),
        (
            {"widths": (8, 4), "n_classes": 3},
            (729 + 54) + (27 * 9 * 8 + 16) + (8 * 9 * 4 + 8) + (4 * 3 + 3),
        ),
        ({"first_width": 5, "widths": ()}, (3 * 9 * 5 + 10) + (5 * 10 + 10)),
    ],
)
def test_number_of_parameters(options, by_hand):
    assert n_parameters(SimpleConv(**options)) == by_hand


@pytest.mark.parametrize("channels, side, n_classes", [(3, 32, 10), (1, 28, 7), (3, 23, 2)])
def test_eleven_blocks_give_logits(channels, side, n_classes):
    model = SimpleConv(channels, n_classes, widths=(4,) * 10).eval()
    images = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(0))
    assert model.features(images).shape == (2, 4, side - 22, side - 22)
    assert model(images).shape == (2, n_classes)
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == 11


def test_the_network_is_what_the_paper_describes():
    """Convolution, normalisation, ReLU; no padding, stride 1, no bias (normalisation undoes it)."""
    model = SimpleConv(1, widths=(6, 5))
    kinds = [type(module) for module in model.features]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 3
    for layer in model.features[::3]:
        assert (layer.kernel_size, layer.stride, layer.padding, layer.bias) == (
            (3, 3),
            (1, 1),
            (0, 0),
            None,
        )
    assert model.first_layer is model.features[0] and model.first_layer.weight.shape == (9, 1, 3, 3)


def test_head_by_hand():
    model = SimpleConv(widths=(4,)).eval()
    images = torch.rand(3, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    means = model.features(images).mean((2, 3))
    torch.testing.assert_close(model(images), means @ model.head[-1].weight.T + model.head[-1].bias)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"widths": (4, 0)}, r"widths=\(27, 4, 0\) \(the first block first\) should all be >= 1"),
        ({"first_width": 0}, r"widths=\(0, 64"),
        ({"in_channels": 0}, r"widths=\(0, 64"),
    ],
)
def test_bad_sizes_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        SimpleConv(**options)


def pair(**options):
    """Two equal networks, images and classes."""
    torch.manual_seed(0)
    one = SimpleConv(**{"widths": (6, 5)} | options)
    images = torch.rand(
        16, one.first_layer.in_channels, 14, 14, generator=torch.Generator().manual_seed(1)
    )
    return one, copy.deepcopy(one), images, torch.arange(16) % 10


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"in_channels": 1}, {"bias": True}, {"widths": ()}])
def test_blocked_layout_is_the_same_network(options, training):
    """Logits, gradients and running statistics of `forward_blocked` against `forward`."""
    plain, blocked, images, labels = pair(**options)
    assert blocked.fits_onednn(torch.float32)
    plain.train(training)
    blocked.train(training)
    expected, logits = plain(images), blocked.forward_blocked(images)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)
    if not training:
        return  # torch has no derivative for that
    for values in (expected, logits):
        nn.functional.cross_entropy(values, labels).backward()
    for (name, ours), theirs in zip(blocked.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-3, msg=name)
    for (name, ours), theirs in zip(blocked.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"in_channels": 1}, {"widths": ()}])
def test_blocked_layout_in_bfloat16(options, training):
    """As far from float32 as `forward_mixed` is, and no further."""
    plain, blocked, images, _ = pair(**options)
    if not blocked.fits_onednn(torch.bfloat16):
        pytest.skip("needs a processor that oneDNN has bfloat16 for")
    plain.train(training)
    blocked.train(training)
    exact = copy.deepcopy(plain)(images)
    mixed, ours = (
        plain.forward_mixed(images, torch.bfloat16),
        blocked.forward_blocked(images, torch.bfloat16),
    )
    assert ours.dtype == torch.float32
    allowed = 2 * (mixed - exact).abs().max() + 1e-3
    assert 0 < (ours - exact).abs().max() < allowed


def test_bfloat16_with_biases_does_not_fit_onednn():
    assert not SimpleConv(widths=(4,), bias=True).fits_onednn(torch.bfloat16)


def test_options_reach_every_block():
    model = SimpleConv(widths=(6, 5), bias=True, bn_eps=1e-3, bn_momentum=0.01)
    for layer in model.features[::3]:
        assert layer.bias is not None and layer.bias.shape == (layer.out_channels,)
    for normalization in model.features[1::3]:
        assert (normalization.eps, normalization.momentum) == (1e-3, 0.01)
    plain = SimpleConv(widths=(6, 5))
    assert n_parameters(model) == n_parameters(plain) + 27 + 6 + 5


def test_momentum_and_eps_by_hand():
    """One batch moves the running mean by that share; eps stands beside the variance."""
    torch.manual_seed(0)
    model = SimpleConv(widths=(4,), bn_eps=0.5, bn_momentum=0.25).train()
    images = torch.rand(8, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    maps = model.first_layer(images)
    normal = model.first_normalization(maps)
    mean, variance = (
        maps.mean((0, 2, 3), keepdim=True),
        maps.var((0, 2, 3), correction=0, keepdim=True),
    )
    torch.testing.assert_close(normal, (maps - mean) / (variance + 0.5).sqrt())
    torch.testing.assert_close(model.first_normalization.running_mean, 0.25 * mean.flatten())
