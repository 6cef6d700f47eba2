"""Parallel stems, kernels with nothing to learn in front, layers that convolve with something else.

The networks are small ones of our own that behave as those of timm, kornia and peft do.
"""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from patchinit import initialize_first_layer_, make_filters, set_filters_
from patchinit.filters import FilterBank
from tests.networks import BOTH, assert_unchanged, expected, run, snapshot


class Parallel(nn.Module):
    """As RepVGG: the 1x1 branch runs first, both have a normalisation, and they are summed."""

    def __init__(self, layers=None, reach=lambda x: x):
        super().__init__()
        torch.manual_seed(0)
        self.reach = reach
        self.layers = nn.ModuleDict(
            layers
            or {
                "conv_1x1": nn.Conv2d(3, 8, 1),
                "conv_kxk": nn.Conv2d(3, 8, 3, padding=1),
            }
        )
        self.norms = nn.ModuleDict({name: nn.BatchNorm2d(8) for name in self.layers})
        self.later = nn.Conv2d(8, 4, 7)

    def forward(self, x):
        x = self.reach(x)
        return self.later(sum(self.norms[name](layer(x)) for name, layer in self.layers.items()))


def changed(before, model):
    values = snapshot(model)[0]
    return [name for name in values if not torch.equal(values[name], before[0][name])]


def test_the_largest_kernel_of_a_stem_is_written_and_named(images):
    model = Parallel()
    before = snapshot(model)
    bank = run(initialize_first_layer_, model, images)
    assert (bank.layer, bank.beside) == ("layers.conv_kxk", ("layers.conv_1x1",))
    assert torch.equal(model.layers["conv_kxk"].weight, expected(images)) and not bank.parts
    assert changed(before, model) == ["layers.conv_kxk.weight", "layers.conv_kxk.bias"]


def test_the_layer_can_be_chosen(images):
    model = Parallel()
    bank = run(initialize_first_layer_, model, images, "kmeans", layer="layers.conv_1x1")
    assert (bank.layer, bank.beside) == ("layers.conv_1x1", ("layers.conv_kxk",))
    assert torch.equal(model.layers["conv_1x1"].weight, bank.filters)
    with torch.no_grad():
        maps = snapshot_maps(model, images)
    bank = run(initialize_first_layer_, model, images, layer="later")
    assert (bank.layer, bank.beside) == ("later", ())
    wanted = make_filters("principal_components", maps, (4, 8, 7, 7)).filters
    torch.testing.assert_close(model.later.weight.detach(), wanted, atol=1e-4, rtol=1e-3)


def snapshot_maps(model, images):
    """What the last layer is fed, with batch statistics and buffers left alone."""
    caught = []
    with model.later.register_forward_pre_hook(lambda module, args: caught.append(args[0])):
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        model(images)
        for name, value in model.named_buffers():
            value.copy_(buffers[name])
    return caught[0]


STEMS = {
    "changed before": (None, lambda x: x * 2 - 1),
    "three": (
        {"a": nn.Conv2d(3, 8, 3, padding=1), "b": nn.Conv2d(3, 8, 5, padding=2),
         "c": nn.Conv2d(3, 8, 5, padding=2)}, lambda x: x,
    ),
    "grouped": (
        {"a": nn.Conv2d(3, 8, 3, padding=1), "b": nn.Conv2d(3, 9, 5, padding=2, groups=3)},
        lambda x: x,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "kind, layer, beside",
    [
        ("changed before", "conv_kxk", ["conv_1x1"]),
        ("three", "b", ["a", "c"]),
        ("grouped", "a", ["b"]),
    ],
)
def test_other_stems(images, kind, layer, beside):
    model = Parallel(*STEMS[kind])
    if kind == "grouped":  # behind it the pass fails, which is no matter
        model.norms["b"] = nn.Identity()
    bank = run(initialize_first_layer_, model, images)
    assert bank.layer == f"layers.{layer}" and bank.beside == tuple(f"layers.{b}" for b in beside)
    if kind == "changed before":
        torch.testing.assert_close(bank.filters, expected(images * 2 - 1))


def test_one_convolution_is_its_own_stem(images):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
    bank = run(initialize_first_layer_, model, images)
    assert (bank.layer, bank.beside) == ("0", ())
    assert run(initialize_first_layer_, nn.Conv2d(3, 8, 3), images).layer == ""
    assert FilterBank(bank.filters, "mine").layer is None


@pytest.mark.parametrize(
    "layer, words",
    [
        ("layers.conv_3x3", "a name and no convolution of this Parallel; .*'layers.conv_kxk'"),
        ("layers", "a ModuleDict and no conv.*'layers.conv_1x1', 'layers.conv_kxk'$"),
        ("norms.conv_1x1", "a BatchNorm2d and no convolution"),
        (3, "layer=3 is a name and no convolution"),
    ],
)
def test_names_that_are_no_convolutions(images, layer, words):
    model = Parallel()
    before = snapshot(model)
    with pytest.raises(ValueError, match=words):
        run(initialize_first_layer_, model, images, layer=layer)
    assert_unchanged(before, model)


def test_a_chosen_layer_that_does_not_run(images):
    model = Parallel()
    model.never = nn.Conv2d(3, 4, 3)
    before = snapshot(model)
    with pytest.raises(ValueError, match="layer 'never': only 0 of 2 images reach it"):
        run(initialize_first_layer_, model, images, layer="never")
    assert_unchanged(before, model)


def test_a_pass_to_the_end_leaves_random_numbers_and_buffers(images):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 8, 3)
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x):
            x = self.first(x)
            self.seen += 1
            return x + torch.rand(x.shape)

    model = Noisy()
    before, numbers = snapshot(model), torch.get_rng_state()
    run(initialize_first_layer_, model, images)
    assert changed(before, model) == ["first.weight", "first.bias"]
    assert torch.equal(torch.get_rng_state(), numbers)


# --- A normalisation that does not start at 1 and 0 -----------------------------------------------


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(8), nn.GroupNorm(2, 8)], ids=lambda n: type(n))
def test_filters_upside_down_are_warned_of(images, norm):
    model = Parallel()
    model.norms["conv_kxk"] = norm
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([-0.2, 0.1, 0.1, 0.3, 0.1, 0.1, 0.1, -0.1]))
    words = rf"'norms.conv_kxk', the {type(norm).__name__} .* -0.2 to 0.3, and turn 25% of the filt"
    with pytest.warns(UserWarning, match=words) as caught:
        initialize_first_layer_(model, images)
    assert caught[0].filename == __file__
    nn.init.ones_(model.get_submodule("norms.conv_kxk").weight)  # the way out
    before = snapshot(model)
    nn.init.constant_(norm.bias, 0.5)
    with pytest.raises(UserWarning, match="bias"), warnings.catch_warnings():
        warnings.simplefilter("error")
        initialize_first_layer_(model, images * 0.5)
    nn.init.zeros_(norm.bias)
    assert_unchanged(before, model)
    nn.init.constant_(model.norms["conv_1x1"].weight, -1.0)  # not behind what is written
    initialize_first_layer_(model, images)


# --- In front -------------------------------------------------------------------------------------


def gaussian():
    x = torch.arange(-1.0, 2.0)
    window = (-(x**2) / 2).exp()
    return (window / window.sum())[None, None, None].expand(3, 1, 1, 3)


class Blur(nn.Module):
    """As kornia's: depthwise, along rows and then along columns, with a kernel made on the fly."""

    def forward(self, x):
        kernel = gaussian().to(x)
        x = F.conv2d(F.pad(x, (1, 1, 0, 0), mode="reflect"), kernel, groups=3)
        return F.conv2d(F.pad(x, (0, 0, 1, 1), mode="reflect"), kernel.mT, groups=3)


class HeldBlur(nn.Module):
    """With a kernel that is neither parameter nor buffer."""

    def __init__(self):
        super().__init__()
        self.kernel = gaussian().contiguous()

    def forward(self, x):
        return F.conv2d(x, self.kernel, groups=3)


@BOTH
@pytest.mark.parametrize("blur", [Blur(), HeldBlur()], ids=["made", "held"])
def test_a_blur_in_front_is_passed_over(images, function, blur):
    model = nn.Sequential(blur, nn.Conv2d(3, 8, 3))
    run(function, model, images)
    wanted = expected(blur(images))
    torch.testing.assert_close(model[1].weight.detach(), wanted, atol=2e-6, rtol=1e-5)


class Computed(nn.Module):
    """Convolves with what it makes of a parameter, and then with a layer."""

    def __init__(self, how):
        super().__init__()
        self.kernel, self.how = nn.Parameter(torch.rand(5, 3, 3, 3)), how
        self.later = nn.Conv2d(5, 8, 3)

    def forward(self, x):
        return self.later(F.conv2d(x, self.how(self.kernel)))


def filled(kernel):
    made = torch.zeros(5, 3, 3, 3)
    made[:2] = kernel[:2].detach()
    return made


@BOTH
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(
    "how", [lambda k: k / 2, lambda k: k.data.flip(-1), filled], ids=["half", "data", "filled"]
)
def test_a_kernel_made_of_a_parameter_is_not(images, function, how, frozen):
    model = Computed(how).requires_grad_(not frozen)
    before = snapshot(model)
    with pytest.raises(ValueError, match="no parameter: Computed computes it from 'kernel'.*layer"):
        run(function, model, images)
    assert_unchanged(before, model)
    assert run(initialize_first_layer_, model, images, layer="later").layer == "later"


@BOTH
def test_a_kernel_in_a_list_of_the_networks_own_is_not(images, function):
    model = Computed(lambda k: held[0] * 1)
    held = [torch.rand(5, 3, 3, 3, requires_grad=True)]
    with pytest.raises(ValueError, match="first convolution .* outside of a layer"):
        run(function, model, images)
    model.how = lambda k: held[0]
    with pytest.raises(ValueError, match="first convolution .* outside of a layer"):
        run(function, model, images)


# --- Layers that convolve with something else -----------------------------------------------------


class StdConv2d(nn.Conv2d):
    """As timm's: the forward pass standardises the weight."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        deviation = weight.square().mean((1, 2, 3), keepdim=True).add(1e-6).sqrt()
        return F.conv2d(x, weight / deviation, self.bias, self.stride, self.padding)


class LoraConv2d(nn.Conv2d):
    """An adapter within the layer: the weight and a product of two small ones."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.down, self.up = nn.Parameter(torch.rand(2, 27)), nn.Parameter(torch.ones(8, 2))

    def forward(self, x):
        return F.conv2d(x, self.weight + (self.up @ self.down).view_as(self.weight), self.bias)


class Adapted(nn.Module):
    """An adapter around the layer, as peft has it."""

    def __init__(self):
        super().__init__()
        self.base = nn.Conv2d(3, 8, 3)
        self.down, self.up = nn.Conv2d(3, 2, 3, bias=False), nn.Conv2d(2, 8, 1, bias=False)

    def forward(self, x):
        return self.base(x) + 0.5 * self.up(self.down(x))


@pytest.mark.parametrize(
    "layer, words",
    [
        (
            StdConv2d(3, 8, 3),
            r"this StdConv2d .* put a plain .*at least [01]\.\d+ .*set_filters_\(",
        ),
        (LoraConv2d(3, 8, 3), "this LoraConv2d is .* merge .*take it off first"),
        (Adapted(), r"'0.base' is the base of an adapter \(Adapted\): '0.down' and '0.up' add"),
    ],
)
def test_what_convolves_with_something_else_is_refused(images, layer, words):
    model = nn.Sequential(layer, nn.ReLU())
    before = snapshot(model)
    with pytest.raises(ValueError, match=words):
        run(initialize_first_layer_, model, images)
    assert_unchanged(before, model)


def test_the_advice_can_be_followed(images):
    """What the refusals name as ways out."""
    model = nn.Sequential(StdConv2d(3, 8, 3))
    set_filters_(
        model.get_submodule("0"), make_filters("principal_components", images, (8, 3, 3, 3))
    )
    one_hot = torch.eye(27).reshape(27, 3, 3, 3)
    with torch.no_grad():
        used = model(one_hot).flatten(1).T
    assert F.cosine_similarity(used, expected(images).flatten(1)).min() > 0.95
    model = nn.Sequential(Adapted())
    nn.init.zeros_(model.get_submodule("0.up").weight)
    bank = run(initialize_first_layer_, model, images)
    assert (bank.layer, bank.beside) == ("0.base", ("0.down",))
    with torch.no_grad():
        torch.testing.assert_close(model(images), F.conv2d(images, expected(images)))
    layer = LoraConv2d(3, 8, 3)
    nn.init.zeros_(layer.up)
    assert run(initialize_first_layer_, layer, images).layer == ""
