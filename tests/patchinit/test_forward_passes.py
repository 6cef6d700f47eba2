"""Forward passes that write into their input, split it, make buffers or layers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from patchinit import (
    from_images_,
    initialize_all_layers_,
    initialize_first_layer_,
)
from tests.networks import (
    BOTH,
    Forward,
    assert_initialized,
    assert_unchanged,
    conv,
    expected,
    run,
    snapshot,
)

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
    assert_initialized(images.to(dtype), function, Forward(forward), wanted)


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
    assert_initialized(images, function, after(change), expected(images))


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
    assert_initialized(images, function, Forward(forward), wanted)


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
