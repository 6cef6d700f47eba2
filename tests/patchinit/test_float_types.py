"""Every float type of images and network gives the same filters, up to its rounding."""

import pytest
import torch
from torch import nn

from patchinit import (
    METHODS,
    initialize_first_layer_,
    make_filters,
    set_filters_,
)
from patchinit.filters import responses
from patchinit.patches import sample_patches
from tests.networks import BOTH, SHAPE, Forward, conv, expected, net, run

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
#: What rounding of the images may do to the filters.
ROUNDING = {torch.float64: 1e-6, torch.float32: 1e-6, torch.float16: 3e-3, torch.bfloat16: 3e-2}


@BOTH
@pytest.mark.parametrize("images_are", [*FLOATS, torch.uint8])
@pytest.mark.parametrize("model_is", FLOATS)
@pytest.mark.parametrize("method", ["principal_components", "random_patches"])
def test_every_float_type_of_images_and_model(images, function, images_are, model_is, method):
    bytes_ = (images * 255).round().to(torch.uint8)
    images = bytes_.float() / 255
    given = bytes_ if images_are == torch.uint8 else images.to(images_are)
    model = net().to(model_is)
    bank = run(function, model, given, method)
    assert bank.filters.dtype == torch.float32 and model[0].weight.dtype == model_is
    assert torch.equal(model[0].weight, bank.filters.to(model_is))
    tolerance = ROUNDING[model_is] + ROUNDING.get(images_are, 0)
    torch.testing.assert_close(bank.filters, expected(images, method), atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_every_float_type(images, dtype, method):
    options = {"max_patches": 300}
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    values = images.to(dtype)
    given, wanted = (
        make_filters(method, x, SHAPE, generator=g, **options).filters
        for x, g in zip((values, values.float()), generators, strict=True)
    )
    torch.testing.assert_close(given, wanted, atol=1e-6, rtol=1e-5)


@BOTH
@pytest.mark.parametrize("method", METHODS)
def test_the_default_type_changes_nothing(images, function, method):
    bytes_ = (images * 255).to(torch.uint8)
    wanted = expected(bytes_, method)
    torch.set_default_dtype(torch.float64)
    try:
        model = net()
        bank = run(function, model, bytes_, method)
    finally:
        torch.set_default_dtype(torch.float32)
    assert bank.filters.dtype == torch.float32 and model[0].weight.dtype == torch.float64
    torch.testing.assert_close(bank.filters, wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("method", METHODS)
def test_autocast_changes_nothing(images, dtype, method):
    shape = (27, 3, 3, 3)
    wanted, cast = (torch.Generator().manual_seed(0) for _ in range(2))
    filters = make_filters(method, images, shape, generator=wanted).filters
    model = net()
    with torch.autocast("cpu", dtype):
        found = make_filters(method, images, shape, generator=cast).filters
        bank = run(initialize_first_layer_, model, images, method)
        measured = responses(filters, images[:4, :, :3, :3])
    assert torch.equal(found, filters)
    assert torch.equal(bank.filters, expected(images, method))
    assert torch.equal(measured, responses(filters, images[:4, :, :3, :3]))


@pytest.mark.parametrize("method", METHODS)
def test_the_default_device_changes_nothing(images, method):
    model = net()
    with torch.device("meta"):
        bank = run(initialize_first_layer_, model, images, method, max_patches=500)
        filters = set_filters_(model[0], bank)
        sampled = sample_patches(images, 3, 50)
    assert torch.equal(filters, bank.filters) and sampled.device.type == "cpu"
    again = run(initialize_first_layer_, model, images, method, max_patches=500)
    assert torch.equal(again.filters, bank.filters)


def mixed(inner):
    """Parts have float types of their own, as when normalisation or a head stays precise."""
    model = Forward(
        lambda self, x: self.head(self.norm(self.conv(x).float()).mean((2, 3)).double())
    )
    model.head, model.conv = nn.Linear(8, 2).double(), conv().to(inner)
    model.norm = nn.BatchNorm2d(8)
    return model


@BOTH
@pytest.mark.parametrize("inner", FLOATS)
def test_a_network_of_several_float_types(images, function, inner):
    bank = run(function, mixed(inner), images)
    torch.testing.assert_close(bank.filters, expected(images), atol=ROUNDING[inner], rtol=0)


def casts_inside(self, images):
    with torch.autocast("cpu", torch.bfloat16):
        return self.conv(images)


@BOTH
@pytest.mark.parametrize("autocast", [True, False])
def test_a_network_that_casts_inside(images, function, autocast):
    model = Forward(casts_inside if autocast else lambda self, x: self.conv(x.bfloat16()))
    bank = run(function, model if autocast else model.bfloat16(), images)
    torch.testing.assert_close(bank.filters, expected(images), atol=1e-2, rtol=0)


@BOTH
@pytest.mark.parametrize("method", METHODS)
def test_images_that_require_grad(images, function, method):
    given = images.clone().requires_grad_()
    bank = run(function, net(), given, method)
    assert torch.equal(bank.filters, expected(images, method)) and given.grad is None
    assert not bank.filters.requires_grad


@BOTH
def test_layout_in_memory_is_no_matter(images, function):
    for given in (
        images.contiguous(memory_format=torch.channels_last),
        images.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
        images.repeat_interleave(2, 3)[..., ::2],
    ):
        torch.testing.assert_close(run(function, net(), given).filters, expected(images))
    model = net().to(memory_format=torch.channels_last)
    assert torch.equal(run(function, model, images).filters, model[0].weight)
