"""The loop against one written by hand, and what each setting does."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from patchinit.data import Images
from patchinit.models import SimpleConv
from patchinit.settings import Settings
from patchinit.training import MOVE, Trainer, augment, evaluate, train

FEW = Settings(epochs=3, batch_size=16, widths=(6, 6))


def make_set(n, seed=0, size=12):
    """Bright and dark noise, two classes that a small network tells apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (n,), generator=generator)
    images = torch.randint(0, 156, (n, 3, size, size), generator=generator) + 100 * labels[:, None, None, None]
    return Images(images.to(torch.uint8), labels, ("dark", "bright"), "noise", "train")


def make_model(seed=0):
    torch.manual_seed(seed)
    return SimpleConv(3, 2, widths=(6, 6))


def test_learns():
    train_set, test_set = make_set(128), make_set(64, seed=1)
    history = train(make_model(), train_set, test_set, dataclasses.replace(FEW, epochs=8, learning_rate=0.01))
    losses = [epoch.train_loss for epoch in history.epochs]
    assert losses[-1] < 0.5 * losses[0]
    assert history.epochs[-1].test_accuracy > 0.95
    assert len(history.filters) == 9 and not torch.equal(history.filters[0], history.filters[-1])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_equals_the_loop_that_everyone_writes(optimizer):
    """The same steps as plain PyTorch: float images by ToTensor's rule, an optimiser that is not fused."""
    settings = dataclasses.replace(FEW, optimizer=optimizer, epochs=2, drop_after=1, learning_rate=0.01)
    train_set = make_set(50)
    model, plain = make_model(), make_model()
    trainer = Trainer(model, train_set, train_set, settings)
    if optimizer == "adam":
        plain_optimizer = torch.optim.Adam(plain.parameters(), lr=0.01)
    else:
        plain_optimizer = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9)
    for epoch, rate in ((1, 0.01), (2, 0.001)):
        order, _, _ = trainer._draw(epoch)
        assert sorted(order.tolist()) == list(range(50))
        losses = []
        for start in range(0, 50, 16):
            chosen = order[start : start + 16]
            logits = plain(train_set.images[chosen].to(torch.float32) / 255)
            loss = F.cross_entropy(logits, train_set.labels[chosen])
            plain_optimizer.param_groups[0]["lr"] = rate
            plain_optimizer.zero_grad()
            loss.backward()
            plain_optimizer.step()
            losses += [loss.item()] * len(chosen)
        assert trainer.train_epoch() [0] == pytest.approx(np.mean(losses), abs=1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, atol=1e-4, rtol=1e-3)


def test_evaluation_by_hand():
    images = make_set(23)
    model = make_model().train()
    loss, accuracy = evaluate(model, images, batch_size=5)
    assert model.training
    model.eval()
    with torch.no_grad():
        logits = model(images.images / 255)
    assert loss == pytest.approx(F.cross_entropy(logits, images.labels).item(), abs=1e-6)
    assert accuracy == (logits.argmax(1) == images.labels).double().mean().item()


def test_order_depends_on_seed_and_epoch_alone():
    def order(epoch, **changes):
        settings = dataclasses.replace(FEW, **changes)
        return Trainer(make_model(), make_set(40), make_set(40), settings)._draw(epoch)[0]

    assert torch.equal(order(1), order(1, method="kmeans", learning_rate=0.1, norm=1.0))
    assert not torch.equal(order(1), order(2))
    assert not torch.equal(order(1), order(1, seed=1))


def test_a_batch_of_one_is_left_out():
    """17 images in batches of 16: the last one alone has no variance."""
    trainer = Trainer(make_model(), make_set(17), make_set(17), FEW)
    assert math.isfinite(trainer.train_epoch()[0])
    with pytest.raises(ValueError, match="train_set has 1 images; at least 2"):
        Trainer(make_model(), make_set(1), make_set(17), FEW)


def test_frozen_layer_stays_and_the_rest_moves():
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Trainer(model, make_set(40), make_set(8), dataclasses.replace(FEW, frozen=True)).train_epoch()
    assert torch.equal(model.first_layer.weight, before["features.0.weight"])
    assert not torch.equal(model.features[3].weight, before["features.3.weight"])


def test_bfloat16_is_near():
    losses = {}
    for precision in ("fp32", "bf16"):
        trainer = Trainer(make_model(), make_set(64), make_set(8), dataclasses.replace(FEW, precision=precision))
        losses[precision], _ = trainer.train_epoch()
        assert trainer.model.features[0].weight.dtype == torch.float32
    assert losses["fp32"] != losses["bf16"]
    assert losses["fp32"] == pytest.approx(losses["bf16"], rel=0.03)


@pytest.mark.parametrize("mirrored", [0, 1])
@pytest.mark.parametrize(("top", "left"), [(0, 0), (MOVE, MOVE), (2 * MOVE, 1)])
def test_augmentation_is_pad_crop_mirror(mirrored, top, left):
    images = torch.randint(256, (3, 2, 9, 11), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    moves = torch.tensor([[mirrored, top, left]] * 3)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (MOVE, MOVE), (MOVE, MOVE)), mode="reflect")
    if mirrored:
        # The crop is taken from the mirrored image's place, then its columns are read the other way.
        padded = np.pad(images.numpy()[..., ::-1], ((0, 0), (0, 0), (MOVE, MOVE), (MOVE, MOVE)), mode="reflect")
    expected = padded[:, :, top : top + 9, left : left + 11]
    np.testing.assert_array_equal(augment(images, moves), expected)


def test_augmentation_draws_every_move():
    settings = dataclasses.replace(FEW, augmentation="flip_crop")
    _, moves, _ = Trainer(make_model(), make_set(2000), make_set(8), settings)._draw(1)
    assert moves.shape == (2000, 3)
    for column, n in ((0, 2), (1, 2 * MOVE + 1), (2, 2 * MOVE + 1)):
        counts = moves[:, column].bincount(minlength=n)
        assert len(counts) == n
        assert (counts - 2000 / n).abs().max() < 5 * (2000 / n) ** 0.5  # five standard deviations


def test_divergence_ends_the_run_with_a_warning():
    with pytest.warns(RuntimeWarning, match="the loss is .* lower learning_rate"):
        history = train(
            make_model(), make_set(40), make_set(8),
            dataclasses.replace(FEW, optimizer="sgd", learning_rate=1e38, epochs=9),
        )  # fmt: skip
    assert history.diverged and len(history.epochs) < 9


@pytest.mark.parametrize("training", [True, False])
def test_mode_is_given_back(training):
    model = make_model().train(training)
    train(model, make_set(20), make_set(8), dataclasses.replace(FEW, epochs=1))
    assert model.training is training


@pytest.mark.parametrize("steps_before", [0, 2])
def test_what_capturing_a_step_does_is_undone(steps_before):
    """Warming up trains; the model, the optimiser and the sum of losses are as before, in the same place."""
    trainer = Trainer(make_model(), make_set(40), make_set(8), FEW)
    batch = torch.arange(16), torch.zeros(16, 0, dtype=torch.int64), torch.arange(16) % 2
    for _ in range(steps_before):
        trainer._step_eagerly(*batch)
    reference = Trainer(make_model(), make_set(40), make_set(8), FEW)
    for _ in range(steps_before):
        reference._step_eagerly(*batch)
    place = trainer.first.weight.data_ptr()
    with trainer._undone():
        for _ in range(3):
            trainer._step_eagerly(*batch)
        assert not torch.equal(trainer.first.weight, reference.first.weight)
    assert trainer.first.weight.data_ptr() == place
    for one in (trainer, reference):
        for _ in range(2):
            one._step_eagerly(*batch)
    assert torch.equal(trainer.loss_sum, reference.loss_sum)
    for name, value in reference.model.state_dict().items():
        assert torch.equal(trainer.model.state_dict()[name], value), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: a CUDA graph can't be captured without one")
def test_captured_step_equals_eager_step():
    losses = []
    for capture in (True, False):
        trainer = Trainer(make_model(), make_set(200), make_set(8), FEW, device="cuda", capture=capture)
        losses.append([trainer.train_epoch()[0] for _ in range(2)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
