"""Work is done where the images lie: on every device that is here, and on one that is made up."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from patchinit import METHODS, initialize_all_layers_, initialize_first_layer_, make_filters

HERE = [
    "cpu",
    *(["cuda"] if torch.cuda.is_available() else []),
    *(["mps"] if torch.backends.mps.is_available() else []),
]
SHAPE = (12, 3, 3, 3)


class Elsewhere(Tensor):
    """A tensor that says it lies on another device, and notes what is brought to the CPU.

    The device is one that torch knows and lets pass without its backend; values lie on the CPU. An
    operation on both kinds fails, as on a GPU, but for copies, numbers, and indices of the CPU.
    """

    to_cpu: list[int] = []  # values in each copy

    @staticmethod
    def __new__(cls, values: Tensor) -> Tensor:
        return Tensor._make_wrapper_subclass(
            cls, values.shape, strides=values.stride(), storage_offset=values.storage_offset(),
            dtype=values.dtype, device="lazy",
        )  # fmt: skip

    def __init__(self, values: Tensor) -> None:
        self.values = values

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func._schema.name
        values = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        plain = [value for value in values if not isinstance(value, cls)]
        there = torch.device(kwargs.get("device") or "lazy").type == "lazy"
        if plain and name not in ("aten::copy_", "aten::_to_copy", "aten::index"):
            assert all(value.ndim == 0 for value in plain), f"{name} works on two devices"
        if name == "aten::_to_copy" and not there:
            cls.to_cpu.append(args[0].numel())
        if name == "aten::copy_" and not isinstance(args[0], cls):
            there = False
            cls.to_cpu.append(args[1].numel())
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        args, kwargs = tree_map(lambda v: v.values if isinstance(v, cls) else v, (args, kwargs))
        outputs = func(*args, **kwargs)
        return (
            tree_map(lambda v: cls(v) if isinstance(v, Tensor) else v, outputs)
            if there
            else outputs
        )


@pytest.fixture
def images():
    return torch.rand(64, 3, 20, 20, generator=torch.Generator().manual_seed(0))


def seeded():
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_no_image_is_brought_to_the_cpu(images, method, streamed):
    """What comes back is filters, moments, and the patches that are to be clustered."""
    if method == "kmedoids":
        pytest.importorskip("kmedoids")
    Elsewhere.to_cpu.clear()
    there = Elsewhere(images)
    options = {"generator": seeded(), "max_patches": 300}
    bank = make_filters(method, there.split(13) if streamed else there, SHAPE, **options)
    options["generator"] = seeded()
    expected = make_filters(method, images.split(13) if streamed else images, SHAPE, **options)
    assert bank.filters.device.type == "cpu" and type(bank.filters) is Tensor
    torch.testing.assert_close(bank.filters, expected.filters, atol=1e-5, rtol=1e-4)
    assert max(Elsewhere.to_cpu, default=0) <= 300 * 27 < images.numel() / 9


def test_the_made_up_device_is_strict(images):
    Elsewhere.to_cpu.clear()
    with pytest.raises(AssertionError, match="two devices"):
        Elsewhere(images) + torch.ones(20)
    Elsewhere(images).cpu()
    assert Elsewhere.to_cpu == [images.numel()]


@pytest.mark.parametrize("images_on", HERE)
@pytest.mark.parametrize("network_on", HERE)
@pytest.mark.parametrize("call", ["first", "stream", "all"])
def test_images_and_network_on_any_device(images, images_on, network_on, call):
    def network():
        torch.manual_seed(0)
        return nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 4, 3))

    function = initialize_all_layers_ if call == "all" else initialize_first_layer_
    model, expected = network().to(network_on), network()
    given = images.to(images_on)
    function(model, given.split(32) if call == "stream" else given, norm="keep")
    function(expected, images.split(32) if call == "stream" else images, norm="keep")
    for one, other in zip(model.parameters(), expected.parameters(), strict=True):
        assert one.device.type == network_on
        torch.testing.assert_close(one.cpu(), other, atol=1e-4, rtol=1e-3)
