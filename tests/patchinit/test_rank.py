"""Filters that would be dead or doubled are refused, and the text says how many there can be."""

import re

import pytest
import torch
from torch import nn

from patchinit import METHODS, initialize_all_layers_, initialize_first_layer_, make_filters
from patchinit.data import load_images
from patchinit.filters import pca_whitening, principal_components
from patchinit.moments import patch_moments
from patchinit.patches import extract_patches

COMPONENTS = [name for name, method in METHODS.items() if method.needs.endswith("moments")]
CHOSEN = [name for name, method in METHODS.items() if method.needs == "patches"]
MEAN, DEVIATION = (torch.tensor(v)[:, None, None] for v in ([0.5, 0.4, 0.3], [0.2, 0.25, 0.3]))


def grey(images):
    return images.mean(1, keepdim=True)


#: Images of fewer directions than C*3*3, and how many a 3x3 patch has, brightness among them.
DEFICIENT = {
    "grey, three times": (lambda x: grey(x).expand(-1, 3, -1, -1), 9),
    "and scaled": (lambda x: (grey(x).expand(-1, 3, -1, -1) - MEAN) / DEVIATION, 9),
    "and in bytes": (lambda x: (grey(x) * 255).to(torch.uint8).expand(-1, 3, -1, -1), 9),
    "and in double": (lambda x: grey(x).double().expand(-1, 3, -1, -1) * MEAN, 9),
    "one channel doubled": (lambda x: x[:, [0, 1, 1]], 18),
    "one channel zero": (lambda x: x * torch.tensor([1.0, 0.0, 1.0])[:, None, None], 18),
    "one channel the mean of two": (lambda x: torch.cat([x[:, :2], grey(x[:, :2])], 1), 18),
    "nine bands": (lambda x: torch.cat([x, x.flip(0), x[:, :1] ** 2, x[:, :2] * 0], 1), 63),
}


def responses_of(filters, images):
    """Standard deviation of each filter's response over standardised patches, of largest 1."""
    patches = extract_patches(images, 3).flatten(1).double()
    centred = patches - patches.mean(1, keepdim=True)
    rows = centred / centred.std(1, keepdim=True)
    deviation = (rows @ filters.flatten(1).double().T).std(0)
    return deviation / deviation.max()


@pytest.mark.parametrize("change, rank", DEFICIENT.values(), ids=DEFICIENT)
def test_components_end_at_the_rank(images, change, rank):
    images = change(images)
    channels = images.shape[1]
    # Within a standardised patch brightness never varies. Where a channel is scaled on its own,
    # taking the patch's mean away mixes it in, and all nine of the grey directions stay.
    counts = patch_moments(images, 3)
    true = int(torch.linalg.matrix_rank(counts.covariance, hermitian=True, rtol=1e-9))
    assert true in (rank - 1, rank)
    bank = make_filters("principal_components", images, (true, channels, 3, 3))
    assert responses_of(bank.filters, images).min() > 1e-4
    words = f"n_filters={true + 1} should be between 1 and {true}, the rank of the patches.*dead"
    with pytest.raises(ValueError, match=words):
        make_filters("principal_components", images, (true + 1, channels, 3, 3))
    # Raw patches vary in brightness too.
    make_filters("pca_whitening", images, (rank, channels, 3, 3))
    with pytest.raises(ValueError, match=f"between 1 and {rank}, the rank of the patches"):
        make_filters("pca_whitening", images, (rank + 1, channels, 3, 3))


@pytest.mark.parametrize("method", [principal_components, pca_whitening])
def test_the_functions_themselves_refuse(images, method):
    patches = extract_patches(grey(images).expand(-1, 3, -1, -1), 3)
    with pytest.raises(ValueError, match="n_filters=20 should be between 1 and [89], the rank"):
        method(patches, 20)
    with pytest.raises(ValueError, match="n_filters=28 should be between 1 and 27, the C"):
        method(patches, 28)


def test_few_patches_have_few_directions(images):
    """Four patches less their mean span three."""
    few = images[:1, :, :4, :4]
    for method in COMPONENTS:
        make_filters(method, few, (3, 3, 3, 3))
        with pytest.raises(ValueError, match="n_filters=4 should be between 1 and 3, the rank"):
            make_filters(method, few, (4, 3, 3, 3))


@pytest.mark.parametrize("name", ["photos", "digits"])
@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_common_images_give_all_their_components(name, size):
    images = load_images(name, "train").images[:60]
    d = images.shape[1] * size**2
    for method in COMPONENTS:
        if d > 1 or method == "pca_whitening":  # a patch of one pixel is constant
            assert len(make_filters(method, images, (d, images.shape[1], size, size))) == d


def test_common_networks_on_grey_images(images):
    """What the book advised: 64 filters of 7x7, of which the copied channels give 48."""
    from torchvision.models import resnet18

    model = resnet18(weights=None)
    before = model.conv1.weight.detach().clone()
    noise = torch.rand(20, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="layer 'conv1': n_filters=64 .* 1 and 48, the rank"):
        initialize_first_layer_(model, noise.expand(-1, 3, -1, -1), norm="keep")
    assert torch.equal(model.conv1.weight, before)
    initialize_first_layer_(model, noise.expand(-1, 3, -1, -1), "random_patches")


@pytest.mark.parametrize("method", COMPONENTS)
def test_all_layers_keep_what_has_too_few_directions(images, method):
    """A dead channel between two layers takes nine directions away."""

    class Dead(nn.Module):
        def forward(self, maps):
            return maps * torch.tensor([1.0, 0.0, 1.0])[:, None, None]

    model = nn.Sequential(nn.Conv2d(3, 3, 3), Dead(), nn.Conv2d(3, 20, 3), nn.Conv2d(20, 4, 3))
    before = model[2].weight.detach().clone()
    with pytest.raises(ValueError, match="layer '2': n_filters=20.*the rank.*too_many='keep'"):
        initialize_all_layers_(model, images, method)
    assert list(initialize_all_layers_(model, images, method, too_many="keep")) == ["0", "3"]
    assert torch.equal(model[2].weight, before)


def stripes(n=4):
    return (torch.arange(16) % 2).float().expand(n, 3, 16, 16)


@pytest.mark.parametrize("method", CHOSEN)
@pytest.mark.parametrize("gain, shift", [(1, 0), (0.37, 0.21)])
def test_stripes_have_two_patches(method, gain, shift):
    images = stripes() * torch.linspace(0.3, 1, 4)[:, None, None, None] * gain + shift
    options = {"generator": torch.Generator().manual_seed(0)}
    words = "n_filters=9 should be between 1 and 2, the different patches.*other"
    with pytest.raises(ValueError, match=words):
        make_filters(method, images, (9, 3, 3, 3), **options)
    if method != "random_patches":  # which may draw one twice
        filters = make_filters(method, images, (2, 3, 3, 3), **options).filters.flatten(1)
        torch.testing.assert_close(filters[0], -filters[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", CHOSEN)
def test_different_patches_are_counted_wherever_they_are(method):
    """Many stripes, and at the very end an image with a third and a fourth pattern."""
    images = torch.cat([stripes(40), stripes(1).transpose(2, 3)])
    with pytest.raises(ValueError, match="n_filters=5 should be between 1 and 4, the different"):
        make_filters(method, images, (5, 3, 3, 3))
    make_filters(method, images, (4, 3, 3, 3))  # without a warning


@pytest.mark.parametrize("method", [*COMPONENTS, *CHOSEN])
@pytest.mark.parametrize("function", [initialize_first_layer_, initialize_all_layers_])
def test_layers_are_named(method, function):
    model = nn.Sequential(nn.Conv2d(3, 9, 3), nn.ReLU())
    before = model[0].weight.detach().clone()
    with pytest.raises(ValueError, match=re.escape("layer '0': n_filters=9 should be between 1")):
        function(model, stripes(), method)
    assert torch.equal(model[0].weight, before)
