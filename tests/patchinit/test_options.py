"""Options of `initialize_first_layer_` and `make_filters`: how many, which signs, which patches."""

import pytest
import torch
from torch import nn

from patchinit import METHODS, initialize_first_layer_, make_filters
from patchinit.filters import pca_whitening, principal_components
from patchinit.moments import patch_moments
from patchinit.patches import extract_patches
from tests.networks import assert_unchanged, snapshot

BOUNDED = [name for name, method in METHODS.items() if method.bounded]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def layer(n=40, dtype=torch.float32, **options):
    torch.manual_seed(0)
    return nn.Conv2d(3, n, 3, dtype=dtype, **options)


# --- More filters than there can be ---------------------------------------------------------------


@pytest.mark.parametrize("method", BOUNDED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", ["own", "keep"])
def test_keep_writes_the_first_filters(images, method, dtype, norm):
    model = layer(dtype=dtype)
    weight, bias = (value.detach().clone() for value in (model.weight, model.bias))
    bank = initialize_first_layer_(
        model, images, method, norm=norm, too_many="keep", generator=seeded()
    )
    assert bank.parts == ((method, 27), ("as it was", 13)) and len(bank) == 40
    if norm == "own":
        wanted = make_filters(method, images, (27, 3, 3, 3), generator=seeded()).filters
        assert torch.equal(model.weight[:27].float(), wanted)
    assert torch.equal(model.weight[27:], weight[27:]) and torch.equal(model.bias[27:], bias[27:])
    assert not model.bias[:27].any() and torch.equal(model.weight.float(), bank.filters)


@pytest.mark.parametrize("method", BOUNDED)
def test_fill_adds_negatives_and_then_random_directions(images, method):
    model = layer(27 + 27 + 30)
    bank = initialize_first_layer_(model, images, method, too_many="fill", generator=seeded())
    names = (method, f"{method}, negative", "random_orthonormal")
    assert bank.parts == tuple(zip(names, (27, 27, 27), strict=True)) + (("random_orthonormal", 3),)
    assert torch.equal(model.weight, bank.filters) and not model.bias.any()
    own, negative, extra = bank.filters.flatten(1).split([27, 27, 30])
    wanted = make_filters(method, images, (27, 3, 3, 3), generator=seeded()).filters
    assert torch.equal(own, wanted.flatten(1)) and torch.equal(negative, -own)
    norm = own.norm(dim=1).mean()
    for block in extra.split(27):
        gram = block @ block.T
        torch.testing.assert_close(gram / norm**2, torch.eye(len(block)), atol=1e-5, rtol=0)
    again = initialize_first_layer_(layer(84), images, method, too_many="fill", generator=seeded())
    assert torch.equal(again.filters, bank.filters)


def test_few_more_than_there_can_be(images):
    model = layer(30)
    bank = initialize_first_layer_(model, images, too_many="fill", norm="keep")
    assert bank.parts == (("principal_components", 27), ("principal_components, negative", 3))
    norms = bank.filters.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, norms[0].expand(30))


@pytest.mark.parametrize("too_many", ["keep", "fill"])
@pytest.mark.parametrize("n", [9, 40])
def test_the_rank_is_the_limit_too(images, too_many, n):
    """Grey copied to three channels: 8 directions, and brightness is none of them."""
    grey = images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    bank = initialize_first_layer_(layer(n), grey, too_many=too_many)
    assert bank.parts[0] == ("principal_components", 8) and len(bank) == n
    with pytest.raises(ValueError, match="1 and 8, the rank.*too_many='keep'.*too_many='fill'"):
        initialize_first_layer_(layer(9), grey)


@pytest.mark.parametrize("too_many", ["error", "keep", "fill"])
@pytest.mark.parametrize("method", METHODS)
def test_where_there_are_enough_nothing_changes(images, method, too_many):
    model = layer(9)
    bank = initialize_first_layer_(model, images, method, too_many=too_many, generator=seeded())
    wanted = make_filters(method, images, (9, 3, 3, 3), generator=seeded()).filters
    assert torch.equal(model.weight, wanted) and bank.parts == ()


def test_no_patches_are_no_filters(images):
    """Too many filters is not the trouble there, and keep is no way out."""
    stripes = (torch.arange(16) % 2).float().expand(4, 3, 16, 16)
    for method, too_many in (("kmeans", "fill"), ("principal_components", "keep")):
        model = layer()
        before = snapshot(model)
        given = stripes if method == "kmeans" else images * 0
        with pytest.raises(ValueError, match="different patches|constant"):
            initialize_first_layer_(model, given, method, too_many=too_many)
        assert_unchanged(before, model)


# --- Both signs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("norm", ["own", "raw", 0.5])
def test_both_signs(images, method, norm):
    bank = make_filters(
        method, images, (8, 3, 3, 3), norm=norm, both_signs=True, generator=seeded()
    )
    half = make_filters(method, images, (4, 3, 3, 3), norm=norm, generator=seeded())
    assert torch.equal(bank.filters, torch.cat([half.filters, -half.filters]))
    assert bank.parts == ((method, 4), (f"{method}, negative", 4))
    model = layer(8)
    initialize_first_layer_(model, images, method, norm=norm, both_signs=True, generator=seeded())
    assert torch.equal(model.weight, bank.filters)


def test_airbenchs_layer(images):
    """24 filters of 2x2: twelve whitened directions, and then their negatives."""
    model = nn.Conv2d(3, 24, 2)
    bank = initialize_first_layer_(model, images, "pca_whitening", both_signs=True, eps=5e-4)
    wanted = pca_whitening(patch_moments(images, 2, standardize=False), 12, eps=5e-4).filters
    assert torch.equal(model.weight, torch.cat([wanted, -wanted]))
    assert len(bank.eigenvalues) == 12


def test_both_signs_of_too_many(images):
    with pytest.raises(ValueError, match="=28 .* 1 and 27.*half of 56, by both_signs=True"):
        initialize_first_layer_(layer(56), images, both_signs=True)
    for too_many, last in (("keep", "as it was"), ("fill", "random_orthonormal")):
        bank = initialize_first_layer_(layer(56), images, both_signs=True, too_many=too_many)
        assert [n for _, n in bank.parts] == [27, 27, 2] and bank.parts[-1][0] == last


# --- Options of the methods, and which patches ----------------------------------------------------


def test_eps_and_feature_standardize_reach_the_method(images):
    shape = (9, 3, 3, 3)
    patches = extract_patches(images, 3)
    for method, function, options in (
        ("pca_whitening", pca_whitening, {"eps": 0.2}),
        ("principal_components", principal_components, {"feature_standardize": False}),
    ):
        wanted = function(patches, 9, **options).filters
        made = make_filters(method, images, shape, **options).filters
        model = layer(9)
        initialize_first_layer_(model, images, method, **options)
        torch.testing.assert_close(made, wanted, atol=1e-5, rtol=1e-5)
        assert torch.equal(model.weight, made)
        assert (made - make_filters(method, images, shape).filters).abs().max() > 1e-3


@pytest.mark.parametrize("method", ["principal_components", "pca_whitening", "kmeans"])
def test_stride_leaves_patches_out(images, method):
    model = layer(9)
    initialize_first_layer_(model, images, method, stride=3, generator=seeded())
    made = make_filters(method, images, (9, 3, 3, 3), stride=3, generator=seeded())
    assert torch.equal(model.weight, made.filters)
    assert made.n_patches == len(extract_patches(images, 3, stride=3))


def embedding(**options):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 4, stride=4, **options), nn.Flatten(2))


def test_a_patch_embedding_cuts_patches_at_its_stride():
    many = torch.rand(40, 3, 16, 16, generator=seeded())  # 640 patches of 48 values
    bank = initialize_first_layer_(embedding(), many)
    wanted = make_filters("principal_components", many, (6, 3, 4, 4), stride=4)
    assert torch.equal(bank.filters, wanted.filters) and bank.n_patches == 640
    # Too few to learn from: at half the stride.
    assert initialize_first_layer_(embedding(), many[:20]).n_patches == 20 * 49
    assert initialize_first_layer_(embedding(), many, stride=1).n_patches == 40 * 169
    # What overlaps is as before.
    model = nn.Conv2d(3, 6, 4, stride=3)
    assert initialize_first_layer_(model, many).n_patches == 40 * 169


@pytest.mark.parametrize(
    "options, words",
    [
        ({"eps": 0.1}, "eps=0.1 means nothing to principal components.*'pca_whitening'"),
        ({"method": "kmeans", "feature_standardize": True},
         "feature_standardize=True means nothing to k-means.*'principal_components'"),
        ({"method": "pca_whitening", "eps": 0.0}, "eps=0.0 should be > 0"),
        ({"method": "pca_whitening", "eps": float("nan")}, "eps=nan should be > 0"),
        ({"stride": 0}, "stride=0 and dilation=1 should both be integers >= 1"),
        ({"stride": 1.5, "method": "kmeans"}, "stride=1.5 and dilation=1 should both be int"),
        ({"both_signs": True}, "both_signs=True should be .* even .* F=9 in shape"),
        ({"both_signs": "interleaved"}, "both_signs='interleaved' should be False, or True"),
        ({"max_patches": 0, "method": "kmeans"}, "max_patches=0 should be >= 1"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(images, options, words):
    model = layer(9)
    before = snapshot(model)
    for call in (
        lambda method="principal_components", **o: initialize_first_layer_(
            model, images, method, **o
        ),
        lambda method="principal_components", **o: make_filters(method, images, (9, 3, 3, 3), **o),
    ):
        with pytest.raises(ValueError, match=words):
            call(**options)
    assert_unchanged(before, model)


def test_unknown_answers_to_too_many(images):
    with pytest.raises(ValueError, match="too_many='drop' should be 'error', 'keep' or 'fill'"):
        initialize_first_layer_(layer(), images, too_many="drop")
