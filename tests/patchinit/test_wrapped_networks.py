"""Wrapped, compiled, scripted, quantised, lazy networks: the right filters, or a refusal."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from patchinit import (
    from_images_,
    initialize_first_layer_,
    set_filters_,
)
from tests.networks import (
    BOTH,
    Forward,
    conv,
    expected,
    net,
    run,
)


def compiled(images):
    model = torch.compile(net(), backend="eager")
    return model, model._orig_mod[0]


def compiled_in_place(images):
    model = net()
    model.compile(backend="eager")
    return model, model[0]


def compiled_layer(images):
    model = net(torch.compile(conv(), backend="eager"))
    return model, model[0]._orig_mod


def parallel(images):
    model = nn.DataParallel(net())
    return model, model.module[0]


def symbolic(images):
    model = torch.fx.symbolic_trace(net())
    return model, model.get_submodule("0")


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = net()

    def forward(self, images):
        return torch.utils.checkpoint.checkpoint(self.inner, images, use_reentrant=False)


def checkpointed(images):
    model = Checkpointed()
    return model, model.inner[0]


@BOTH
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0:RuntimeWarning")
@pytest.mark.parametrize(
    "wrapped", [compiled, compiled_in_place, compiled_layer, parallel, symbolic, checkpointed]
)
def test_wrapped_networks(images, function, wrapped):
    model, layer = wrapped(images)
    with torch.no_grad():
        model.eval()(images)  # so that what is compiled is there
    run(function, model, images)
    assert torch.equal(layer.weight, expected(images)) and not layer.bias.any()
    with torch.no_grad():
        seen = layer(images)
    torch.testing.assert_close(seen, F.conv2d(images, expected(images)))
    torch._dynamo.reset()


@BOTH
def test_networks_of_inference_mode(images, function):
    with torch.inference_mode():
        model = net()
    with pytest.raises(ValueError, match="'0'.*made in inference mode.*inference_mode"):
        run(function, model, images)
    with torch.inference_mode():
        run(function, model, images)
        assert torch.equal(model[0].weight, expected(images))


# A user's networks may still be scripted; older versions of torch have another warning of it.
SCRIPTED = pytest.mark.filterwarnings(
    "ignore:.torch.jit:DeprecationWarning", "ignore:.torch.jit:FutureWarning"
)


@BOTH
@SCRIPTED
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_scripted_networks_are_named(images, function):
    scripted, traced = torch.jit.script(net()), torch.jit.trace(net(), images[:1])
    frozen = torch.jit.freeze(torch.jit.script(net().eval()))
    for model in (scripted, traced, frozen):
        with pytest.raises(ValueError, match="model is scripted.*before it is scripted or traced"):
            run(function, model, images)
    front = torch.jit.script(nn.Sequential(conv(), nn.ReLU()))
    with pytest.raises(ValueError, match="takes the parameter 'front.0.weight' of shape"):
        model = nn.Sequential()
        model.add_module("front", front)
        model.add_module("back", nn.Conv2d(8, 4, 3))
        run(function, model, images)
    with pytest.raises(ValueError, match="weight of shape .* that is no parameter"):
        run(function, nn.Sequential(torch.jit.freeze(front.eval()), nn.Conv2d(8, 4, 3)), images)
    # What the text advises works.
    from_images_(dict(scripted.named_parameters())["0.weight"], images)
    layer = getattr(scripted, "0")
    maps = layer(images) - layer.bias[:, None, None]
    torch.testing.assert_close(maps, F.conv2d(images, expected(images)), atol=1e-5, rtol=1e-5)


@SCRIPTED
def test_a_scripted_back_is_no_matter_to_the_first_layer(images):
    model = nn.Sequential(conv(), torch.jit.script(nn.Conv2d(8, 4, 3)))
    run(initialize_first_layer_, model, images)
    assert torch.equal(model[0].weight, expected(images))


class Packed(nn.Module):
    """As a quantised convolution runs."""

    def __init__(self):
        super().__init__()
        weight = torch.quantize_per_tensor(torch.rand(8, 3, 3, 3), 0.01, 0, torch.qint8)
        self.later = nn.Conv2d(8, 4, 3)
        ones = [1, 1]
        self.packed = torch.ops.quantized.conv2d_prepack(weight, None, ones, [0, 0], ones, 1)

    def forward(self, x):
        x = torch.quantize_per_tensor(x, 0.01, 0, torch.quint8)
        return self.later(torch.ops.quantized.conv2d(x, self.packed, 1.0, 0).dequantize())


@BOTH
@pytest.mark.filterwarnings("ignore")
def test_quantised_networks_are_named(images, function):
    with pytest.raises(ValueError, match="first convolution .* packed weight.*before it is quant"):
        run(function, Packed(), images)


@BOTH
def test_a_pass_that_fails_on_all_images_is_named(images, function):
    """Two go through, twelve don't."""

    def few(self, x):
        assert len(x) < 3, "no more than two"
        return self.conv(x)

    with pytest.raises(ValueError, match="'conv': .*on the way to it.*Assert.*no more than two"):
        run(function, Forward(few), images)


@BOTH
def test_what_is_no_module_is_named(images, function):
    exported = torch.export.export(net(), (images,))
    for model, word in ((exported, "ExportedProgram"), (net().forward, "method"), (None, "None")):
        with pytest.raises(TypeError, match=f"model is a {word}.*pass the torch.nn.Module"):
            run(function, model, images)


@BOTH
def test_meta_device_is_named(images, function):
    with torch.device("meta"):
        model = nn.Sequential(nn.Identity(), conv())
    with pytest.raises(ValueError, match="'1.weight' on the meta device.*to_empty"):
        run(function, model, images)
    with pytest.raises(ValueError, match="meta device"):
        set_filters_(model[1], expected(images))
    with pytest.raises(ValueError, match="meta device"):
        from_images_(model[1].weight, images)
    with pytest.raises(TypeError, match="images is a tensor of device meta"):
        run(function, net(), images.to("meta"))


@BOTH
@pytest.mark.parametrize(
    "layers",
    [
        lambda: (nn.LazyConv2d(8, 3),),
        lambda: (nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.ReLU()),
        lambda: (nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(4)),
        lambda: (conv(), nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d()),
    ],
)
def test_lazy_layers_get_their_sizes(images, function, layers):
    model = nn.Sequential(*layers()).train()
    run(function, model, images)
    assert torch.equal(model[0].weight, expected(images))
    assert all(module.training for module in model.modules())
    for module in model:
        if isinstance(module, nn.BatchNorm2d):
            assert not module.running_mean.any() and module.num_batches_tracked == 0
