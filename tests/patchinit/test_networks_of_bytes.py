"""Networks that take uint8 themselves: filters are learned from what their first layer is fed."""

import pytest
import torch
from torch import nn

from patchinit import initialize_all_layers_, initialize_first_layer_
from patchinit.data import load_images

IMAGES = load_images("photos").images[::57]
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Network(nn.Module):
    def __init__(self, before):
        super().__init__()
        self.before, self.first, self.second = before, nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.register_buffer("mean", MEAN[:, None, None])
        self.register_buffer("deviation", DEVIATION[:, None, None])

    def forward(self, x):
        return self.second(self.first(self.before(self, x)).relu())


def asserts(net, x):
    assert x.dtype == torch.uint8
    return x.float() / 255


#: By name: what stands before the first layer, and whether the network is fed uint8 in its own use.
BEFORE = {
    "nothing": (lambda net, x: x, False),
    "mean and deviation of 0 to 1": (lambda net, x: (x - net.mean) / net.deviation, False),
    "the same, converted": (lambda net, x: (x.float() - net.mean) / net.deviation, False),
    "divides": (lambda net, x: x.float() / 255, True),
    "divides by promotion": (lambda net, x: x / 255, True),
    "to -1 and 1": (lambda net, x: x.float() / 127.5 - 1, True),
    "divides and normalises": (lambda net, x: (x / 255 - net.mean) / net.deviation, True),
    "only converts": (lambda net, x: x.float(), True),
    "asserts": (asserts, True),
    "mean of 0 to 255": (lambda net, x: x.float() - 255 * net.mean, True),
    "both of 0 to 255": (lambda net, x: (x - 255 * net.mean) / (255 * net.deviation), True),
    "either": (lambda net, x: x.float() / 255 if x.dtype == torch.uint8 else x, True),
}


def responses(net, as_bytes):
    """What the first layer puts out in the network's own use."""
    found = []
    handle = net.first.register_forward_hook(lambda *args: found.append(args[2]))
    net(IMAGES if as_bytes else IMAGES.float() / 255)
    handle.remove()
    return found[0]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("initialise", [initialize_first_layer_, initialize_all_layers_])
@pytest.mark.parametrize("before", BEFORE)
def test_whitened_responses_have_variance_1(before, initialise, dark, monkeypatch):
    if dark:
        monkeypatch.setattr(f"{__name__}.IMAGES", IMAGES // 12)
    network, as_bytes = Network(BEFORE[before][0]), BEFORE[before][1]
    initialise(network, IMAGES, "pca_whitening")
    assert (responses(network, as_bytes).std((0, 2, 3)) - 1).abs().max() < 0.02


def test_a_network_that_fails_on_both_is_as_it_was():
    def fails(net, x):
        raise RuntimeError("never")

    network = Network(fails)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match="never"):
        initialize_first_layer_(network, IMAGES)
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())


def test_batch_normalisation_before_it_keeps_its_statistics():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3))
    initialize_first_layer_(network, IMAGES)
    assert not network[0].running_mean.any() and network.training
