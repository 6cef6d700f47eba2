"""Setters: which layer is found, what is written, that nothing else changes, even on errors."""

import warnings

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from patchinit import (
    METHODS,
    from_images_,
    initialize_all_layers_,
    initialize_first_layer_,
    make_filters,
    set_filters_,
)
from patchinit.filters import FilterBank

BOUNDED = [name for name, method in METHODS.items() if method.bounded]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def state(model):
    """Every parameter and buffer, and each module's mode."""
    values = {name: value.clone() for name, value in model.state_dict().items()}
    return values, {name: module.training for name, module in model.named_modules()}


def changed(before, model):
    """Names of what differs from the state before."""
    (values, modes), (now, modes_now) = before, state(model)
    differ = [name for name in values if not torch.equal(values[name], now[name])]
    return differ + [name for name in modes if modes[name] != modes_now[name]]


def normalised(inputs):
    """What nn.BatchNorm2d gives in training, before its weight (1) and bias (0)."""
    mean = inputs.mean((0, 2, 3), keepdim=True)
    variance = inputs.var((0, 2, 3), correction=0, keepdim=True)
    return (inputs - mean) / (variance + 1e-5).sqrt()


class Backwards(nn.Module):
    """Defines last what runs first, and one layer that never runs."""

    def __init__(self):
        super().__init__()
        self.never = nn.Conv2d(5, 5, 3)
        self.second = nn.Conv2d(6, 4, 3)
        self.first = nn.Conv2d(3, 6, 3)

    def forward(self, images):
        return self.second(self.first(images).relu())


def small(padding=0):
    """Two blocks with normalisation and dropout: 6 and 9 filters."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5),
        nn.Conv2d(6, 9, 3, padding=padding), nn.BatchNorm2d(9), nn.ReLU(),
    )  # fmt: skip


def conv(*arguments, **options):
    return nn.Sequential(nn.Conv2d(*arguments, **options), nn.ReLU())


BOTH = pytest.mark.parametrize("function", [initialize_first_layer_, initialize_all_layers_])


# --- Writing filters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap", [lambda filters: filters, lambda filters: FilterBank(filters, "mine")]
)
def test_set_filters_writes_weight_and_zeroes_bias(wrap):
    layer = nn.Conv2d(3, 5, 2)
    filters = torch.rand(5, 3, 2, 2, generator=seeded())
    assert set_filters_(layer, wrap(filters)) is layer.weight
    assert torch.equal(layer.weight, filters) and not layer.bias.any()
    assert layer.weight.requires_grad and layer.weight.is_leaf
    set_filters_(nn.Conv2d(3, 5, 2, bias=False), filters)
    words = r"filters have shape \(5, 3, 2, 2\), the layer's weight \(5, 3, 3, 3\)"
    with pytest.raises(ValueError, match=words):
        set_filters_(nn.Conv2d(3, 5, 3), filters)


@pytest.mark.parametrize("method", METHODS)
def test_from_images_fills_the_weight(images, method):
    weight = nn.Conv2d(3, 9, 3).weight
    assert from_images_(weight, images, method, norm=0.5, generator=seeded(3)) is weight
    expected = make_filters(method, images, (9, 3, 3, 3), norm=0.5, generator=seeded(3))
    assert torch.equal(weight, expected.filters) and weight.requires_grad


# --- The first layer ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet():
    return torchvision.models.resnet18(weights=None)


@pytest.mark.parametrize("method", METHODS)
def test_resnet_takes_every_method(resnet, images, method):
    """Filters of 7x7 with stride 2: the patches are every one of the image, not every other."""
    before = state(resnet)
    bank = initialize_first_layer_(resnet, images, method, generator=seeded(2), max_patches=1000)
    assert changed(before, resnet) == ["conv1.weight"]
    expected = make_filters(method, images, (64, 3, 7, 7), generator=seeded(2), max_patches=1000)
    assert torch.equal(resnet.conv1.weight, expected.filters) and len(bank) == 64


def test_first_is_what_runs_first(images):
    model = Backwards()
    before = state(model)
    initialize_first_layer_(model, images)
    assert sorted(changed(before, model)) == ["first.bias", "first.weight"]
    assert not model.first.bias.any()


class Normalise(nn.Module):
    """A fixed normalisation, as published networks have it."""

    def forward(self, images):
        mean, deviation = torch.tensor([[0.5, 0.4, 0.3], [0.2, 0.1, 0.4]])[..., None, None]
        return (images - mean) / deviation


@pytest.mark.parametrize("method", ["principal_components", "kmeans"])
def test_what_stands_before_the_layer_is_applied(images, method):
    layer = nn.Conv2d(3, 9, 3)
    initialize_first_layer_(nn.Sequential(Normalise(), layer), images, method, generator=seeded())
    expected = make_filters(method, Normalise()(images), layer.weight.shape, generator=seeded())
    torch.testing.assert_close(layer.weight.detach(), expected.filters)
    plain = make_filters(method, images, layer.weight.shape, generator=seeded())
    assert (layer.weight - plain.filters).abs().max() > 0.01


def test_many_images_are_normalised_as_the_few(images):
    """More than go through the front part at once."""
    many = images.repeat(20, 1, 1, 1)
    layer = nn.Conv2d(3, 9, 3)
    initialize_first_layer_(nn.Sequential(Normalise(), layer), many)
    expected = make_filters("principal_components", Normalise()(many), layer.weight.shape)
    torch.testing.assert_close(layer.weight.detach(), expected.filters)


def test_normalisation_in_front_counts_in_training_and_in_evaluation(images):
    for training in (True, False):
        model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 9, 3)).train(training)
        before = state(model)
        initialize_first_layer_(model, images * torch.tensor([1.0, 0.2, 3.0])[:, None, None])
        assert changed(before, model) == ["1.weight", "1.bias"]
        normal = normalised(images * torch.tensor([1.0, 0.2, 3.0])[:, None, None])
        expected = make_filters("principal_components", normal, (9, 3, 3, 3))
        torch.testing.assert_close(model[1].weight.detach(), expected.filters, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("method", ["principal_components", "kmeans", "random_patches"])
def test_norm_keep_is_the_mean_norm_of_what_was_there(images, method):
    layer = nn.Conv2d(3, 27, 3)
    with torch.no_grad():
        layer.weight.mul_(torch.rand(27, 1, 1, 1, generator=seeded()) + 0.1)
    mean = layer.weight.detach().flatten(1).norm(dim=1).mean()
    bank = initialize_first_layer_(layer, images, method, norm="keep", generator=seeded())
    torch.testing.assert_close(layer.weight.flatten(1).norm(dim=1), mean.expand(27))
    torch.testing.assert_close(bank.filters, layer.weight.detach())


@pytest.mark.parametrize("norm", ["own", "raw", 0.7])
@pytest.mark.parametrize("method", ["kmeans", "glorot_uniform"])
def test_other_norms_are_those_of_make_filters(images, method, norm):
    shape = (6, 3, 3, 3)
    expected = make_filters(method, images, shape, norm=norm, generator=seeded(1)).filters
    for function in (initialize_first_layer_, initialize_all_layers_):
        model = small()
        function(model, images, method, norm=norm, generator=seeded(1))
        assert torch.equal(model[0].weight, expected)
    weight = torch.empty(shape)
    from_images_(weight, images, method, norm=norm, generator=seeded(1))
    assert torch.equal(weight, expected)


def test_dilation_is_the_layers(images):
    layer = nn.Conv2d(3, 9, 3, dilation=2)
    initialize_first_layer_(layer, images)
    expected = make_filters("principal_components", images, (9, 3, 3, 3), dilation=2)
    assert torch.equal(layer.weight, expected.filters)


def test_padding_serves_maps_smaller_than_the_kernel(images):
    layer = nn.Conv2d(3, 4, 7, padding=3)
    initialize_first_layer_(layer, images[..., :5, :5])
    padded = F.pad(images[..., :5, :5], (3,) * 4)
    expected = make_filters("principal_components", padded, (4, 3, 7, 7))
    assert torch.equal(layer.weight, expected.filters)


def test_modes_are_left_one_by_one(images):
    model = small().train()
    model[1].eval()
    model[4].eval()
    before = state(model)
    initialize_first_layer_(model, images)
    initialize_all_layers_(model, images, "kmeans")
    assert set(changed(before, model)) == {"0.weight", "0.bias", "4.weight", "4.bias"}


# --- All layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["principal_components", "kmeans", "random_orthonormal"])
@pytest.mark.parametrize("training", [True, False])
def test_all_layers_by_hand(images, method, training):
    """The second layer sees the maps of the new first one, normalised, without dropout."""
    model = small().train(training)
    before = state(model)
    banks = initialize_all_layers_(model, images, method, generator=seeded(5))
    generator = seeded(5)
    first = make_filters(method, images, (6, 3, 3, 3), generator=generator).filters
    maps = normalised(F.conv2d(images, first)).relu()
    second = make_filters(method, maps, (9, 6, 3, 3), generator=generator).filters
    torch.testing.assert_close(model[0].weight.detach(), first)
    torch.testing.assert_close(model[4].weight.detach(), second, atol=1e-3, rtol=1e-3)
    assert list(banks) == ["0", "4"] and torch.equal(banks["4"].filters, model[4].weight)
    assert not model[0].bias.any() and not model[4].bias.any()
    assert set(changed(before, model)) == {"0.weight", "0.bias", "4.weight", "4.bias"}


def test_all_layers_come_in_the_order_in_which_they_run(images):
    model = Backwards()
    before = state(model)
    assert list(initialize_all_layers_(model, images, norm="keep")) == ["first", "second"]
    assert not {"never.weight", "never.bias"} & set(changed(before, model))


@pytest.mark.parametrize("method", BOUNDED)
def test_too_many_filters_are_refused_or_kept(images, method):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 9, 1), nn.Conv2d(9, 5, 1))
    before = state(model)
    words = "layer '2': n_filters=9 should be between 1 and 8.*too_many='keep'"
    with pytest.raises(ValueError, match=words):
        initialize_all_layers_(model, images, method)
    assert changed(before, model) == []
    assert list(initialize_all_layers_(model, images, method, too_many="keep")) == ["0", "3"]
    assert not {"2.weight", "2.bias"} & set(changed(before, model))


@pytest.mark.parametrize("method", ["kmeans", "glorot_uniform"])
def test_keep_leaves_no_layer_out_where_the_method_has_no_limit(images, method):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 9, 1))
    assert list(initialize_all_layers_(model, images, method, too_many="keep")) == ["0", "2"]


def test_an_error_in_a_later_layer_undoes_all(images):
    class Dead(nn.Module):
        def forward(self, maps):
            return maps * 0

    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), Dead(), nn.Conv2d(6, 4, 3)).train()
    model[1].eval()
    before = state(model)
    with pytest.raises(ValueError, match="layer '3': all .* patches are constant") as caught:
        initialize_all_layers_(model, images, "kmeans")
    assert changed(before, model) == []
    assert "too_many" not in str(caught.value), "which would not help"


# --- What is refused ------------------------------------------------------------------------------


LAYERS_REFUSED = [
    (conv(3, 28, 3), r"n_filters=28 .* 1 and 27, the C\*kh\*kw = 3\*3\*3.*ask for fewer, or use"),
    (conv(3, 3, 3, groups=3), r"layer '0' is grouped \(groups=3\).*set_filters_"),
    (conv(3, 4, 3, dilation=(1, 2)), r"layer '0' has dilation=\(1, 2\).*equal"),
    (nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 4, 3)), "'1' is a Conv1d; only 2-D convolutions"),
    (nn.Sequential(nn.Flatten(), nn.Linear(768, 4)), "Sequential ran no convolution"),
    (nn.Flatten(), "Flatten ran no convolution on these images"),
]
IMAGES_REFUSED = [
    (lambda x: x * torch.nan, "images holds NaN or infinite values; remove or repair"),
    (lambda x: x[:0], r"images has shape \(0, 3, 16, 16\).*at least one image"),
    (lambda x: x[0], r"images has shape \(3, 16, 16\); 4 axes .*images\[None\]"),
    (lambda x: (x * 255).int(), "images has dtype torch.int32; pass uint8 .*images.float"),
    (lambda x: x.numpy(), "images is a ndarray; pass a torch.Tensor.*torch.from_numpy"),
    (lambda x: x * 0 + 0.3, "all 2352 patches are constant.*images with some contrast"),
]
OPTIONS_REFUSED = [
    ({"method": "pca"}, f"method='pca' is unknown; choose one of {', '.join(METHODS)}"),
    ({"norm": -1, "method": "glorot_uniform"}, "norm=-1 should be"),
    *(
        (
            {"norm": norm, "method": "kmeans"},
            f"norm={norm!r} should be a finite number > 0, 'own' .*, 'raw' .* or 'keep' .*mean",
        )
        for norm in (-1, 0, float("nan"), None, "glorot", True)
    ),
]


@BOTH
@pytest.mark.parametrize(
    "model, change, options, words",
    [
        *((model, lambda x: x, {}, words) for model, words in LAYERS_REFUSED),
        *((conv(3, 4, 3), change, {}, words) for change, words in IMAGES_REFUSED),
        *((conv(3, 4, 3), lambda x: x, options, words) for options, words in OPTIONS_REFUSED),
    ],
)
def test_what_cannot_be_done_is_named_and_changes_nothing(
    images, function, model, change, options, words
):
    model.train()
    before = state(model)
    with warnings.catch_warnings(), pytest.raises((ValueError, TypeError), match=words):
        warnings.simplefilter("error")
        function(model, change(images), **options)
    assert changed(before, model) == []


def test_a_kernel_larger_than_the_images_is_named(images):
    words = r"kernel_size=\(5, 5\).* 5x5 pixels, more than the images' 4x4; use a smaller"
    with pytest.raises(ValueError, match=words):
        initialize_first_layer_(conv(3, 4, 5), images[..., :4, :4])


def test_other_channels_are_named(images):
    with pytest.raises(ValueError, match="images have C=3 channels, the layer takes 1"):
        initialize_first_layer_(conv(1, 4, 3), images)


@pytest.mark.parametrize("method", ["principal_components", "random_patches"])
def test_nan_is_found_in_the_last_image(images, method):
    images[-1, 0, 3, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        initialize_first_layer_(conv(3, 4, 3), images, method, max_patches=4)


@BOTH
def test_nan_that_the_network_makes_is_found(images, function):
    class Log(nn.Module):
        def forward(self, maps):
            return (maps - 0.5).log()

    with pytest.raises(ValueError, match="NaN"):
        function(nn.Sequential(Log(), nn.Conv2d(3, 4, 3)), images, "kmeans")


def test_unknown_answers_to_too_many_are_named(images):
    with pytest.raises(ValueError, match="too_many='drop' should be 'error' or 'keep'"):
        initialize_all_layers_(conv(3, 4, 3), images, too_many="drop")


def test_more_filters_than_patches_is_named(images):
    words = "n_filters=5 should be between 1 and 4, the patches.*pass more images"
    with pytest.raises(ValueError, match=words):
        initialize_first_layer_(conv(3, 5, 3), images[:1, :, :4, :4], "random_patches")
