"""Networks as people have them: the right filters, or a refusal that names the layer.

Layers whose weight is recomputed, every float type, wrapped and compiled networks, forward passes
that write into their input, split it, make buffers or layers, or convolve without a layer.
"""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from patchinit import (
    METHODS,
    from_images_,
    initialize_all_layers_,
    initialize_first_layer_,
    make_filters,
    set_filters_,
)
from patchinit.filters import responses
from patchinit.patches import sample_patches

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


# --- A weight that is recomputed ------------------------------------------------------------------


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


# --- Float types ----------------------------------------------------------------------------------

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


# --- Wrapped networks -----------------------------------------------------------------------------


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


@BOTH
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
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


def test_a_scripted_back_is_no_matter_to_the_first_layer(images):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
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


# --- Forward passes -------------------------------------------------------------------------------


def before_and_after(images, function, model, wanted):
    """Runs on the images and leaves them, the buffers and the modes as they were."""
    given, buffers = images.clone(), {n: v.clone() for n, v in model.named_buffers()}
    held = dict(model.named_buffers())
    run(function, model, given)
    assert torch.equal(given, images)
    now = dict(model.named_buffers())
    assert now.keys() == buffers.keys()
    for name, value in now.items():
        assert value is held[name] and torch.equal(value, buffers[name])
    torch.testing.assert_close(model.conv.weight.detach(), wanted, atol=2e-6, rtol=1e-5)


IN_PLACE = {
    "normalise": lambda x: x.sub_(0.5).div_(0.25),
    "relu": lambda x: F.relu_(x.sub_(0.4)),
    "module": nn.Sequential(nn.Hardtanh(0.2, 0.6, inplace=True)),
    "view": lambda x: x.view(len(x), -1).mul_(3).view(x.shape).add_(torch.rand(1, 3, 16, 16)),
    "out": lambda x: torch.add(x, 1, out=x),
    "assignment": lambda x: x.__setitem__((slice(None), 0), x[:, 1] ** 2) or x,
}


@BOTH
@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_work_in_place_leaves_the_images(images, function, change, dtype):
    def forward(self, x):
        torch.manual_seed(0)
        return self.conv(change(x))

    torch.manual_seed(0)
    wanted = expected(change(images.clone()))
    before_and_after(images.to(dtype), function, Forward(forward), wanted)


def new_buffer(self, x):
    self.register_buffer("grid", torch.stack([x[0, 0], x[0, 1]]))


def resized(self, x):
    self.held.resize_(x.shape[-1]).fill_(2)


def replaced(self, x):
    self.held = x.mean((2, 3))


def removed(self, x):
    self._buffers.pop("held", None)


def counted(self, x):
    self.held += 1


BUFFERS = pytest.mark.parametrize("change", [new_buffer, resized, replaced, removed, counted])


def after(change):
    return Forward(lambda self, x: change(self, x) or self.conv(x))


@BOTH
@BUFFERS
def test_buffers_are_as_before(images, function, change):
    before_and_after(images, function, after(change), expected(images))


@BUFFERS
def test_a_refusal_shows_through_and_buffers_are_as_before(images, change):
    model = after(change)
    before = snapshot(model)
    with pytest.raises(ValueError, match="patches are constant"):
        run(initialize_first_layer_, model, images * 0 + 0.5)
    assert_unchanged(before, model)


def tiles(x):
    cut = x.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 1, 4, 5)
    return cut.reshape(-1, 3, 8, 8)


def in_halves(axis):
    return lambda self, x: torch.cat([self.conv(half) for half in x.chunk(2, axis)], axis)


WHOLE_BATCH = {
    "keyword": lambda self, x: self.conv(input=x),
    "optional second": lambda self, x, meta=None: self.conv(x),
    "chunks": lambda self, x: torch.cat([self.conv(part) for part in x.split(5)]),
    "one by one": lambda self, x: torch.cat([self.conv(part[None]) for part in x]),
    "unbatched": lambda self, x: torch.stack([self.conv(part) for part in x]),
    "keyword, unbatched": lambda self, x: torch.stack([self.conv(input=part) for part in x]),
    "reversed": lambda self, x: torch.cat([self.conv(part) for part in x.split(7)]).flip(0),
}
#: The same, with what the layer then sees of the images.
IN_PARTS = {kind: (forward, lambda x: x) for kind, forward in WHOLE_BATCH.items()} | {
    "chunks, changed": (
        lambda self, x: torch.cat([self.conv(part.sub_(0.5) * 3) for part in x.split(5)]),
        lambda x: (x - 0.5) * 3,
    ),
    "upper and lower": (in_halves(2), lambda x: torch.cat(x.chunk(2, 2))),
    "left and right": (in_halves(3), lambda x: torch.cat(x.chunk(2, 3))),
    "tiles": (lambda self, x: self.conv(tiles(x)), tiles),
}


@BOTH
@pytest.mark.parametrize("forward, seen", IN_PARTS.values(), ids=IN_PARTS)
def test_all_images_count_however_they_reach_the_layer(images, function, forward, seen):
    wanted = expected(seen(images))
    before_and_after(images, function, Forward(forward), wanted)


@BOTH
def test_a_network_that_lets_images_out_is_named(images, function):
    with pytest.raises(ValueError, match=r"layer 'conv': only 1 of \d+ images reach it"):
        run(function, Forward(lambda self, x: self.conv(x[:1])), images)


def test_what_fails_behind_the_first_layer_is_no_matter_to_it(images):
    model = nn.Sequential(conv(), nn.Flatten(), nn.Linear(5, 2))
    run(initialize_first_layer_, model, images)
    assert torch.equal(model[0].weight, expected(images))
    with pytest.raises(ValueError, match="after layer '0' it raised RuntimeError.*from_images_"):
        run(initialize_all_layers_, model, images)
    pooled = nn.Sequential(nn.AvgPool2d(2), conv(), nn.Flatten(), nn.Linear(5, 2))
    run(initialize_first_layer_, pooled, images)
    assert torch.equal(pooled[1].weight, expected(F.avg_pool2d(images, 2)))


def test_what_changes_few_images_is_applied(images):
    """The first images are left as they are by what stands in front; the others are not."""
    images[5:] *= 3
    model = nn.Sequential(nn.Hardtanh(0, 1), conv())
    run(initialize_first_layer_, model, images)
    torch.testing.assert_close(model[1].weight.detach(), expected(images.clamp(0, 1)))


@BOTH
@pytest.mark.parametrize(
    "forward, error",
    [
        (lambda self, x, meta: self.conv(x), "TypeError.*'meta'"),
        (lambda self, x: self.conv(x["image"]), "IndexError"),
        (lambda self, *, x: self.conv(x), "TypeError"),
        (lambda self, one, two: self.conv(torch.cat([one, two])), "TypeError"),
        (lambda self, x: self.conv(x.image), "AttributeError"),
    ],
    ids=["two", "dict", "keyword only", "pair", "batch object"],
)
def test_networks_of_other_inputs_are_named(images, function, forward, error):
    model = type("Other", (Forward,), {"forward": forward})(None)
    before = snapshot(model)
    words = f"Other doesn't run on these images alone: before any.*{error}.*from_images_"
    with pytest.raises(ValueError, match=words):
        run(function, model, images)
    assert_unchanged(before, model)
    from_images_(model.conv.weight, images)  # the way out
    assert torch.equal(model.conv.weight, expected(images))


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
    before_and_after(images, function, model, expected(F.conv2d(images, mix)))


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
def test_layers_that_the_forward_pass_makes(images, function):
    def once(self, x):
        if not hasattr(self, "late"):
            self.late = conv()
        return self.late(x)

    def always(self, x):
        self.late = conv()
        return self.late(x)

    model = Forward(once)
    run(function, model, images)
    assert torch.equal(model.late.weight, expected(images))
    with pytest.raises(ValueError, match="makes the layer of 'late.weight' anew in each forward"):
        run(function, Forward(always), images)


# --- Arguments ------------------------------------------------------------------------------------


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
