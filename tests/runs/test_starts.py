"""Starts of layers that no filters are learned for."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from companion.simpleconv import SimpleConv
from companion.starts import glorot_uniform_, lsuv_, orthogonal_


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("setter", [glorot_uniform_, orthogonal_])
def test_data_free_setters_draw_by_their_generator_alone(setter):
    one, two = (setter(SimpleConv(1, 3, widths=(4,)), generator=seeded(1)) for _ in range(2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name])
        assert not value.any() if name.endswith("head.2.bias") else True
    weight = one.features[3].weight.flatten(1)
    if setter is orthogonal_:
        torch.testing.assert_close(weight @ weight.T, torch.eye(4), atol=1e-5, rtol=0)
    else:
        bound = (6 / (9 * 9 + 4 * 9)) ** 0.5
        assert 0.9 * bound < weight.abs().max() <= bound


def test_lsuv_gives_every_convolution_unit_variance(images):
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 9, 3))
    lsuv_(model, images, generator=seeded())
    first = model[0](images)
    second = model(images)  # in training, so that the normalisation is that of these images
    assert first.std().item() == pytest.approx(1, abs=1e-4)
    assert second.std().item() == pytest.approx(1, abs=1e-4)
    assert not model[0].bias.any()
    with pytest.raises(ValueError, match="layer '0' has outputs of standard deviation 0.0; use"):
        lsuv_(model, torch.zeros_like(images))


@pytest.mark.parametrize("start", [glorot_uniform_, orthogonal_, lsuv_])
def test_a_recomputed_weight_is_refused(images, start):
    model = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 8, 3)))
    with pytest.raises(ValueError, match="layer '0' recomputes its weight"):
        start(model, *((images,) if start is lsuv_ else ()))


def test_lsuv_leaves_the_images(images):
    given = images.clone()
    lsuv_(nn.Sequential(nn.Hardtanh(0.2, 0.6, inplace=True), nn.Conv2d(3, 8, 3)), given)
    assert torch.equal(given, images)
