"""The cosine basis against scipy's transform, its order, and what it refuses."""

import numpy as np
import pytest
import torch
from scipy.fft import idct, idctn

from patchinit.filters import cosine_basis

SHAPES = [(27, 3, 3, 3), (9, 1, 3, 3), (18, 2, 3, 3), (64, 4, 4, 4), (75, 3, 5, 5), (24, 1, 4, 6)]


@pytest.mark.parametrize("shape", SHAPES)
def test_orthonormal(shape):
    filters = cosine_basis(shape).filters
    assert filters.shape == shape and filters.dtype == torch.float32
    flat = filters.double().flatten(1)
    torch.testing.assert_close(
        flat @ flat.T, torch.eye(len(flat), dtype=torch.float64), atol=1e-6, rtol=0
    )


def waves_of_scipy(channels, height, width):
    """Colours times the inverse transform of each single coefficient, by (colour, down, across)."""
    if channels == 3:
        grey, yellow, red = [1, 1, 1], [1, 1, -2], [1, -1, 0]
        colours = [np.array(colour) / np.linalg.norm(colour) for colour in (grey, yellow, red)]
    else:
        colours = idct(np.eye(channels), norm="ortho", axis=1)
    waves = {}
    for down in range(height):
        for across in range(width):
            coefficients = np.zeros((height, width))
            coefficients[down, across] = 1
            plane = idctn(coefficients, norm="ortho")
            for c, colour in enumerate(colours):
                waves[c, down, across] = colour[:, None, None] * plane
    return waves


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_scipys_transform(shape):
    """The same set of waves, each once, with the same signs."""
    expected = waves_of_scipy(*shape[1:])
    places = []
    for ours in cosine_basis(shape).filters.numpy():
        equal = [place for place, wave in expected.items() if np.allclose(wave, ours, atol=1e-6)]
        assert len(equal) == 1
        places += equal
    assert len(set(places)) == shape[0]
    assert places[-1] == (0, 0, 0)  # constant and grey, where components have it
    # Slow before fast, and among equally fast ones grey before colour.
    order = [(down + across, colour) for colour, down, across in places[:-1]]
    assert order == sorted(order)


def test_constant_grey_filter_is_last_and_flat():
    last = cosine_basis((27, 3, 3, 3)).filters[-1]
    torch.testing.assert_close(last, torch.full((3, 3, 3), 27**-0.5))
    others = cosine_basis((27, 3, 3, 3)).filters[:-1].flatten(1)
    assert others.sum(1).abs().max() < 1e-6  # so all others have mean zero


def test_fewer_are_the_first_ones():
    few, all_ = cosine_basis((5, 3, 3, 3)).filters, cosine_basis((27, 3, 3, 3)).filters
    torch.testing.assert_close(few, all_[:5])


def test_more_than_the_space_has_is_refused():
    with pytest.raises(ValueError, match="no more directions than that"):
        cosine_basis((10, 1, 3, 3))


@pytest.mark.parametrize("shape", [(27, 3, 3), (0, 3, 3, 3)])
def test_bad_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="should be"):
        cosine_basis(shape)
