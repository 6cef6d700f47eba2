"""Layers whose weight is recomputed: it is written through where that works, or refused."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from patchinit import (
    from_images_,
    initialize_all_layers_,
    make_filters,
    set_filters_,
)
from tests.networks import (
    BOTH,
    SHAPE,
    assert_convolves_with,
    assert_unchanged,
    conv,
    expected,
    net,
    run,
    snapshot,
)


class Double(nn.Module):
    def forward(self, weight):
        return 2 * weight

    def right_inverse(self, weight):
        return weight / 2


class Mirror(nn.Module):
    """Has no inverse, and can't hold most filters."""

    def forward(self, weight):
        return weight + weight.flip(-1)


class ForgetfulInverse(Mirror):
    def right_inverse(self, weight):
        return weight


def old_weight_norm(layer, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(layer, **options)


def parametrized(step, name="weight", layer=None):
    layer = conv() if layer is None else layer
    parametrize.register_parametrization(layer, name, step)
    return layer


WRITTEN_THROUGH = {
    "weight_norm": lambda: parametrizations.weight_norm(conv()),
    "weight_norm, one scale": lambda: parametrizations.weight_norm(conv(), dim=None),
    "weight_norm, along inputs": lambda: parametrizations.weight_norm(conv(), dim=1),
    "old weight_norm": lambda: old_weight_norm(conv()),
    "old weight_norm, one scale": lambda: old_weight_norm(conv(), dim=None),
    "own": lambda: parametrized(Double()),
    "two in a row": lambda: parametrized(Double(), layer=parametrized(Double())),
    "bias": lambda: parametrized(Double(), "bias"),
}


class Standardised(nn.Conv2d):
    def forward(self, maps):
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(maps, centred / centred.std((1, 2, 3), keepdim=True), self.bias)


class Renormed(nn.Conv2d):
    """Holds its norms down in its own forward pass."""

    def forward(self, maps):
        self.weight.data = torch.renorm(self.weight.data, 2, 0, 0.5)
        return super().forward(maps)


def hooked():
    layer = conv()
    held = layer.weight.detach().clone()

    def restore(module, inputs):
        module.weight.data.copy_(held)

    layer.register_forward_pre_hook(restore)
    return layer


def buffer_weight():
    layer = conv()
    weight = layer.weight.detach().clone()
    del layer.weight
    layer.register_buffer("weight", weight)
    return layer


REFUSED = {
    "spectral_norm": (lambda: parametrizations.spectral_norm(conv()), "_SpectralNorm"),
    "old spectral_norm": (lambda: nn.utils.spectral_norm(conv()), "SpectralNorm"),
    "orthogonal": (lambda: parametrizations.orthogonal(conv()), "_Orthogonal"),
    "without inverse": (lambda: parametrized(Mirror()), "Mirror"),
    "wrong inverse": (lambda: parametrized(ForgetfulInverse()), "ForgetfulInverse"),
    "pruned": (lambda: prune.l1_unstructured(conv(), "weight", 0.3), "L1Unstructured"),
    "buffer": (buffer_weight, "no parameter"),
}
REFUSED_WHERE_IT_RUNS = {
    "standardised": (lambda: Standardised(3, 8, 3), "forward pass, or a hook"),
    "renormed": (lambda: Renormed(3, 8, 3), "forward pass, or a hook"),
    "hooked": (hooked, "forward pass, or a hook"),
}


@BOTH
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", ["own", "keep", 0.3])
@pytest.mark.parametrize("layer", WRITTEN_THROUGH.values(), ids=WRITTEN_THROUGH)
def test_a_recomputed_weight_is_written_through(images, function, layer, norm):
    model = net(layer())
    names = snapshot(model)[0].keys()
    bank = run(function, model, images, norm=norm)
    assert_convolves_with(model[0], bank.filters)
    if norm != "keep":
        wanted = make_filters("principal_components", images, SHAPE, norm=norm).filters
        torch.testing.assert_close(bank.filters, wanted)
    assert snapshot(model)[0].keys() == names
    model(images).sum().backward()  # it still learns
    assert all(value.grad is not None for value in model.parameters())


@pytest.mark.parametrize("layer", WRITTEN_THROUGH.values(), ids=WRITTEN_THROUGH)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_set_filters_writes_through(images, layer):
    layer = layer()
    filters = expected(images, "kmeans")
    torch.testing.assert_close(set_filters_(layer, filters).detach(), filters)
    assert_convolves_with(layer, filters)


@BOTH
@pytest.mark.parametrize("kind", [*REFUSED, *REFUSED_WHERE_IT_RUNS])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_weight_that_would_be_another_is_refused(images, function, kind):
    layer, word = (REFUSED | REFUSED_WHERE_IT_RUNS)[kind]
    model = net(layer())
    if kind == "renormed":
        model(images)
    words = f"the weight of this .*{word}.*take it off"
    before = snapshot(model)
    with pytest.raises(ValueError, match=f"layer '0': {words}"):
        run(function, model, images)
    assert_unchanged(before, model)
    if kind in REFUSED:
        with pytest.raises(ValueError, match=words):
            set_filters_(model[0], expected(images, "kmeans"))
        assert_unchanged(before, model)


def test_spectral_norm_holds_filters_whose_spectral_norm_is_one(images):
    layer = parametrizations.spectral_norm(conv())
    set_filters_(layer, expected(images))
    assert_convolves_with(layer.eval(), expected(images))


def test_a_mask_that_takes_nothing_away_is_no_reason_to_refuse(images):
    """But its weight is no parameter, and stays so: take it off, as the text says."""
    layer = prune.identity(conv(), "weight")
    with pytest.raises(ValueError, match="Identity.*take it off"):
        set_filters_(layer, expected(images))
    prune.remove(layer, "weight")
    assert torch.equal(set_filters_(layer, expected(images)), expected(images))


@pytest.mark.parametrize("layer", ["weight_norm", "old weight_norm", "own"])
def test_from_images_refuses_a_passing_weight(images, layer):
    weight = WRITTEN_THROUGH[layer]().weight
    with pytest.raises(ValueError, match="computed from other tensors.*set_filters_"):
        from_images_(weight, images)


def test_a_weight_that_several_layers_share_is_made_for_the_first(images):
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3))
    model[2].weight = model[0].weight
    banks = initialize_all_layers_(model, images)
    assert list(banks) == ["0"] and torch.equal(model[2].weight, banks["0"].filters)


@BOTH
def test_a_frozen_layer_is_written_and_stays_frozen(images, function):
    model = net().requires_grad_(False)
    run(function, model, images)
    assert torch.equal(model[0].weight, expected(images)) and not model[0].weight.requires_grad
