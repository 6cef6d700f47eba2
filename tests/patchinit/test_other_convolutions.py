"""Convolutions that no 2-D layer makes are named, and arguments that can't be."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from patchinit import (
    METHODS,
    from_images_,
    initialize_all_layers_,
    initialize_first_layer_,
    make_filters,
    set_filters_,
)
from tests.networks import (
    BOTH,
    SHAPE,
    Forward,
    assert_initialized,
    assert_unchanged,
    conv,
    expected,
    net,
    run,
    snapshot,
)


class Bare(nn.Module):
    """Convolves with a parameter of its own before its layer does."""

    def __init__(self, how):
        super().__init__()
        self.kernel, self.how = nn.Parameter(torch.rand(5, 3, 3, 3)), how
        self.later = nn.Conv2d(5, 8, 3)

    def forward(self, x):
        return self.later(self.how(self, x))


def deformed(self, x):
    from torchvision.ops import deform_conv2d

    return deform_conv2d(x, x.new_zeros(len(x), 18, 14, 14), self.kernel)


KERNEL = {
    "functional": lambda self, x: F.conv2d(x, self.kernel),
    "torch": lambda self, x: torch.conv2d(x, self.kernel, stride=2),
    "convolution": lambda self, x: torch.convolution(
        x, self.kernel, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1
    ),
    "same": lambda self, x: F.conv2d(x, self.kernel, padding="same"),
    "transposed": lambda self, x: F.conv_transpose2d(x, self.kernel.transpose(0, 1)),
    "1-D": lambda self, x: F.conv1d(x.flatten(2), self.kernel.flatten(2)).unflatten(2, (4, -1)),
    "deformed": deformed,
    "swallowed": lambda self, x: swallowing(lambda: F.conv2d(x, self.kernel)),
}
BARE = {kind: (how, "the parameter 'kernel'") for kind, how in KERNEL.items()} | {
    "computed": (lambda self, x: F.conv2d(x, self.kernel / 2), "no parameter"),
    "of the layer": (
        lambda self, x: F.conv2d(x, self.later.weight[:5, :3]),
        "the parameter 'later.weight'",
    ),
}


def swallowing(call):
    try:
        return call()
    except Exception:
        return None


@BOTH
@pytest.mark.parametrize("how, word", BARE.values(), ids=BARE)
def test_a_convolution_without_a_layer_is_named(images, function, how, word):
    model = Bare(how)
    before = snapshot(model)
    with pytest.raises(ValueError, match=f"first convolution on these images .*{word}"):
        run(function, model, images)
    assert_unchanged(before, model)


def test_a_later_convolution_without_a_layer(images):
    """Is no matter to the first layer, but to a function that promises every one."""
    how = lambda self, x: F.conv2d(self.conv(x), self.kernel)  # noqa: E731
    model = Forward(how, kernel=nn.Parameter(torch.rand(4, 8, 1, 1)))
    run(initialize_first_layer_, model, images)
    assert torch.equal(model.conv.weight, expected(images))
    with pytest.raises(ValueError, match="next convolution .* takes the parameter 'kernel'"):
        run(initialize_all_layers_, model, images)


@BOTH
def test_a_fixed_convolution_in_front_is_part_of_the_images_way(images, function):
    mix = torch.tensor([[0.3, 0.6, 0.1], [1, -1, 0], [0, 1, -1.0]])[:, :, None, None]

    model = Forward(lambda self, x: self.conv(F.conv2d(x, self.mix)))
    model.register_buffer("mix", mix)
    assert_initialized(images, function, model, expected(F.conv2d(images, mix)))


@BOTH
@pytest.mark.parametrize(
    "name, front",
    [
        ("ConvTranspose2d", [nn.ConvTranspose2d(3, 5, 3)]),
        ("Conv3d", [nn.Unflatten(1, (3, 1)), nn.Conv3d(3, 5, 1), nn.Flatten(1, 2)]),
        ("ConvTranspose1d", [nn.Flatten(2), nn.ConvTranspose1d(3, 5, 1)]),
        ("ConvTranspose2d", [nn.LazyConvTranspose2d(5, 3)]),
    ],
)
def test_another_kind_of_convolution_first_is_named(images, function, name, front):
    model = nn.Sequential(*front, nn.ReLU(), nn.Conv2d(5, 8, 3))
    with pytest.raises(ValueError, match=f"is a {name}; only 2-D convolutions"):
        run(function, model, images)


@BOTH
@pytest.mark.parametrize(
    "value, words", [(0.0, "all filters .* zero"), (torch.nan, "aren't finite")]
)
@pytest.mark.parametrize("method", METHODS)
def test_there_must_be_a_norm_to_keep(images, function, value, words, method):
    model = net()
    nn.init.constant_(model[0].weight, value)
    with pytest.raises(ValueError, match=f"layer '0': norm='keep', but .*{words}; pass a number"):
        run(function, model, images, method, norm="keep")


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda x: make_filters("kmeans", x, SHAPE, max_patches=0), "max_patches=0 should be >= 1"),
        (lambda x: set_filters_(conv(), x.numpy()), "filters are a ndarray; pass a FilterBank or"),
        (lambda x: from_images_(conv(), x), "weight is a Conv2d; pass layer.weight"),
        (lambda x: set_filters_(nn.LazyConv2d(8, 3), x), "lazy and has no shape yet; run the net"),
    ],
)
def test_arguments_are_named(images, call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call(images)
