"""An iterable of batches is taken where images are: gone through once, in bounded memory."""

import gc

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, TensorDataset

from patchinit import (
    from_images_,
    initialize_all_layers_,
    initialize_first_layer_,
    make_filters,
)
from patchinit.patches import extract_patches, streamed_patches

SHAPE = (12, 3, 3, 3)
MOMENTS = ["principal_components", "pca_whitening"]
SAMPLES = ["kmeans", "kmedians", "random_patches"]


@pytest.fixture(scope="module")
def images():
    return torch.rand(40, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def seeded():
    return torch.Generator().manual_seed(3)


def close(one, other):
    torch.testing.assert_close(one.filters, other.filters, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", MOMENTS)
@pytest.mark.parametrize("size", [1, 7, 40])
def test_moments_of_batches_are_those_of_all(images, method, size):
    close(make_filters(method, images.split(size), SHAPE), make_filters(method, images, SHAPE))


@pytest.mark.parametrize("method", SAMPLES)
def test_a_sample_does_not_hang_on_the_batches(images, method):
    banks = [
        make_filters(method, images.split(size), SHAPE, generator=seeded(), max_patches=500)
        for size in (1, 7, 40)
    ]
    for bank in banks[1:]:
        assert torch.equal(bank.filters, banks[0].filters)
    assert banks[0].learned_from["patches"] == 500 and banks[0].learned_from["images"] == 40


def test_every_patch_is_as_likely_as_another():
    """10 of 40 pixels, 2,000 times: each is drawn about 500 times, with a deviation of 19."""
    pixels = torch.arange(160.0).reshape(10, 4, 2, 2)
    counts = torch.zeros(40)
    generator = seeded()
    for _ in range(2000):
        drawn = streamed_patches(pixels.split(3), (1, 1), 10, generator=generator)
        counts[(drawn[:, 0, 0, 0] // 16 * 4 + drawn[:, 0, 0, 0] % 4).long()] += 1
    assert counts.sum() == 20_000 and (counts - 500).abs().max() < 5 * 19.4


def test_few_patches_are_all_taken_in_order(images):
    drawn = streamed_patches(images.split(7), (3, 3), 4000)
    assert torch.equal(drawn, extract_patches(images, 3))


def as_loader(images):
    return DataLoader(TensorDataset(images, torch.arange(len(images))), batch_size=16)


@pytest.mark.parametrize(
    "given",
    [
        as_loader,
        lambda images: iter(images.split(16)),
        lambda images: ((part, "label") for part in images.split(16)),
        lambda images: [[part, part] for part in images.split(16)],
    ],
)
@pytest.mark.parametrize("before", [nn.Identity(), nn.BatchNorm2d(3), nn.AvgPool2d(2)])
def test_the_first_layer(images, given, before):
    def network():
        torch.manual_seed(0)
        return nn.Sequential(before, nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 4, 3))

    model, other = network(), network()
    bank = initialize_first_layer_(model, given(images), norm="keep")
    expected = initialize_first_layer_(other, images, norm="keep")
    assert bank.layer == "1" and bank.learned_from["images"] == 40
    if not isinstance(before, nn.BatchNorm2d):  # which goes by the statistics of a batch
        close(bank, expected)
    assert torch.equal(model[1].weight, bank.filters)
    assert torch.equal(model[3].weight, other[3].weight)


def test_patches_of_a_patch_embedding_lie_as_far_apart(images):
    large = torch.rand(40, 1, 32, 32, generator=seeded())
    banks = [
        initialize_first_layer_(nn.Conv2d(1, 6, 4, stride=4), given)
        for given in (large, large.split(8))
    ]
    close(*banks)
    assert banks[0].settings["stride"] == banks[1].settings["stride"] == 4


def test_a_weight_by_itself(images):
    weight, other = torch.zeros(SHAPE), torch.zeros(SHAPE)
    from_images_(weight, images.split(9))
    from_images_(other, images)
    torch.testing.assert_close(weight, other, atol=1e-5, rtol=1e-4)


def test_each_batch_is_asked_for_once(images):
    asked = []

    def batches():
        for number, part in enumerate(images.split(9)):
            asked.append(number)
            yield part

    initialize_first_layer_(nn.Conv2d(3, 12, 3), batches())
    assert asked == [0, 1, 2, 3, 4]


def test_methods_without_data_ask_for_none():
    def never():
        raise AssertionError
        yield

    assert len(make_filters("cosine_basis", never(), SHAPE)) == 12


@pytest.mark.parametrize("call", ["make_filters", "first layer"])
@pytest.mark.parametrize(
    "batches, error, why",
    [
        ([], ValueError, "no batch"),
        (iter([]), ValueError, "no batch"),
        ([torch.rand(2, 3, 9, 9), torch.rand(2, 3, 9, 8)], ValueError, r"batch 1 .*\(3, 9, 8\)"),
        ([torch.rand(2, 3, 9, 9), torch.rand(2, 1, 9, 9)], ValueError, r"batch 1 .*\(1, 9, 9\)"),
        (
            [torch.rand(2, 3, 9, 9), torch.zeros(2, 3, 9, 9, dtype=torch.uint8)],
            ValueError, "batch 1 .* dtype torch.uint8",
        ),
        ([torch.rand(2, 3, 9, 9), torch.rand(2, 3, 9, 9) / 0], ValueError, "batch 1 .*infinite"),
        ([torch.rand(3, 9, 9)], ValueError, "batch 0 .*4 axes"),
        ([{"image": torch.rand(2, 3, 9, 9)}], TypeError, "batch 0 .*dict"),
        ([()], TypeError, "batch 0 .*tuple"),
        ({"image": torch.rand(2, 3, 9, 9)}, TypeError, "dict"),
        (torch.rand(2, 3, 9, 9).numpy(), TypeError, "ndarray"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["principal_components", "random_patches"])
def test_what_is_no_batch_is_named(batches, error, why, call, method):
    model = nn.Conv2d(3, 12, 3)
    before = model.weight.detach().clone()
    with pytest.raises(error, match=why):
        if call == "make_filters":
            make_filters(method, batches, SHAPE)
        else:
            initialize_first_layer_(model, batches, method)
    assert torch.equal(model.weight, before)


def test_every_layer_wants_one_tensor(images):
    with pytest.raises(TypeError, match="one tensor"):
        initialize_all_layers_(nn.Conv2d(3, 12, 3), images.split(9))


class Held(TorchDispatchMode):
    """The most bytes of what operations make that lived at a time."""

    def __init__(self):
        super().__init__()
        self.most, self.live = 0, {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        outputs = func(*args, **(kwargs or {}))
        for value in tree_leaves(outputs):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                self.live[storage._cdata] = (
                    torch.multiprocessing.reductions.StorageWeakRef(storage),
                    storage.nbytes(),
                )
        self.live = {key: held for key, held in self.live.items() if not held[0].expired()}
        self.most = max(self.most, sum(size for _, size in self.live.values()))
        return outputs


@pytest.mark.parametrize("method", ["principal_components", "random_patches"])
def test_memory_is_bounded(method):
    """Eight times the images take no more memory, to a tenth."""

    def peak(n_batches):
        generator = seeded()
        batches = (torch.rand(16, 3, 24, 24, generator=generator) for _ in range(n_batches))
        gc.collect()
        with Held() as held:
            model = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 12, 3))
            initialize_first_layer_(model, batches, method, max_patches=1000)
        return held.most

    few, many = peak(6), peak(48)
    assert many < 1.1 * few
    assert few < 10 * 16 * 3 * 24 * 24 * 4 + 8 * 1000 * 27 * 4 + 2_000_000
