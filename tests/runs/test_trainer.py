"""The loop against one written by hand, and what each setting does."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from companion.runs import process
from companion.runs import trainer as trainer_module
from companion.runs.batches import MOVE, augment
from companion.runs.captured_step import undone
from companion.runs.live import train, train_side_by_side
from companion.runs.settings import Settings
from companion.runs.trainer import Trainer
from companion.simpleconv import SimpleConv
from patchinit.data import Images

FEW = Settings(epochs=3, batch_size=16, widths=(6, 6))


def make_set(n, seed=0, size=12):
    """Bright and dark noise, two classes that a small network tells apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (n,), generator=generator)
    images = (
        torch.randint(0, 156, (n, 3, size, size), generator=generator)
        + 100 * labels[:, None, None, None]
    )
    return Images(images.to(torch.uint8), labels, ("dark", "bright"), "noise", "train")


def make_model(seed=0):
    torch.manual_seed(seed)
    return SimpleConv(3, 2, widths=(6, 6))


def test_learns():
    train_set, test_set = make_set(128), make_set(64, seed=1)
    history = train(
        make_model(), train_set, test_set, dataclasses.replace(FEW, epochs=8, learning_rate=0.01)
    )
    losses = [epoch.train_loss for epoch in history.epochs]
    assert losses[-1] < 0.5 * losses[0]
    assert history.epochs[-1].test_accuracy > 0.95
    assert len(history.filters) == 9 and not torch.equal(history.filters[0], history.filters[-1])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_equals_the_loop_that_everyone_writes(optimizer):
    """The same steps as plain PyTorch: float images by ToTensor's rule, an unfused optimiser."""
    settings = dataclasses.replace(
        FEW, optimizer=optimizer, epochs=2, drop_after=1, learning_rate=0.01
    )
    train_set = make_set(50)
    model, plain = make_model(), make_model()
    trainer = Trainer(model, train_set, train_set, settings)
    if optimizer == "adam":
        plain_optimizer = torch.optim.Adam(plain.parameters(), lr=0.01)
    else:
        plain_optimizer = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9)
    for epoch, rate in ((1, 0.01), (2, 0.001)):
        order, _, _ = trainer.batches.draw(epoch)
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
        assert trainer.train_epoch()[0] == pytest.approx(np.mean(losses), abs=1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("n", [23, 7])
def test_evaluation_by_hand(monkeypatch, n):
    monkeypatch.setitem(trainer_module._EVALUATION_BATCH, "cpu", 5)
    images = make_set(23)
    trainer = Trainer(make_model().train(), images, images, FEW)
    losses, correct = trainer.evaluate(n)
    model = trainer.model
    assert model.training
    model.eval()
    with torch.no_grad():
        logits = model(images.images[:n] / 255)
    expected = F.cross_entropy(logits, images.labels[:n], reduction="none")
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(correct, logits.argmax(1) == images.labels[:n])


def test_order_depends_on_seed_and_epoch_alone():
    def order(epoch, **changes):
        settings = dataclasses.replace(FEW, **changes)
        return Trainer(make_model(), make_set(40), make_set(40), settings).batches.draw(epoch)[0]

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
        trainer = Trainer(
            make_model(), make_set(64), make_set(8), dataclasses.replace(FEW, precision=precision)
        )
        losses[precision], _ = trainer.train_epoch()
        assert trainer.model.features[0].weight.dtype == torch.float32
    assert losses["fp32"] != losses["bf16"]
    assert losses["fp32"] == pytest.approx(losses["bf16"], rel=0.03)


@pytest.mark.parametrize("widths", [(6, 6), ()])
def test_bfloat16_leaves_the_first_block_and_the_head_in_float32(widths):
    """What every module computes in, forwards and backwards, in training and evaluation."""
    torch.manual_seed(0)
    model = SimpleConv(3, 2, widths=widths)
    trainer = Trainer(model, make_set(16), make_set(8), dataclasses.replace(FEW, precision="bf16"))
    seen = []
    modules = [*model.features, *model.head]
    for place, module in enumerate(modules):
        module.register_forward_hook(
            lambda module, given, out, place=place: seen.append((place, given[0].dtype, out.dtype))
        )
    trainer.train_epoch()
    trainer.evaluate()
    assert {place for place, *_ in seen} == set(range(len(modules)))
    n_features = len(model.features)
    for place, given, out in seen:
        wanted = torch.bfloat16 if 3 <= place < n_features else torch.float32
        assert out == wanted, place
        # Without oneDNN's bfloat16 the first convolution in it casts its maps itself.
        assert given == wanted or (place == 3 and given == torch.float32), place
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert {parameter.grad.dtype for parameter in model.parameters()} == {torch.float32}


def first_loss(precision, **options):
    torch.manual_seed(0)
    model = SimpleConv(3, 2, widths=(6, 6), **options)
    settings = dataclasses.replace(FEW, precision=precision)
    return Trainer(model, make_set(64), make_set(8), settings).train_epoch()[0]


def test_bfloat16_without_onednn(monkeypatch):
    """The other way to compute the same, for processors that oneDNN has no bfloat16 for."""
    with_it = first_loss("bf16")
    monkeypatch.setattr(SimpleConv, "fits_onednn", lambda model, dtype: False)
    assert first_loss("bf16") == pytest.approx(with_it, rel=1e-2)
    assert first_loss("fp32") == pytest.approx(with_it, rel=0.03)


def test_bfloat16_with_biases():
    assert first_loss("bf16", bias=True) == pytest.approx(first_loss("fp32", bias=True), rel=0.03)


def test_tf32_needs_a_gpu():
    with pytest.raises(ValueError, match="precision='tf32' needs a GPU, and device='cpu' has none"):
        Trainer(make_model(), make_set(16), make_set(8), dataclasses.replace(FEW, precision="tf32"))


def test_bfloat16_of_another_network_is_refused():
    settings = dataclasses.replace(FEW, precision="bf16")
    with pytest.raises(ValueError, match="precision='bf16' needs a SimpleConv"):
        Trainer(torch.nn.Conv2d(3, 2, 3), make_set(16), make_set(8), settings)


def test_another_network_is_trained_as_it_is():
    torch.manual_seed(0)
    head = torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), *head)
    trainer = Trainer(model, make_set(64), make_set(8), FEW)
    assert trainer.train_epoch()[0] > trainer.train_epoch()[0]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_checkpoint_of_another_layout_and_other_options(optimizer, precision):
    """As a GPU's is: channels-last moments, a captured step.

    The next epoch is the uninterrupted run's.
    """
    settings = dataclasses.replace(FEW, optimizer=optimizer, precision=precision)
    straight, resumed = (
        Trainer(make_model(), make_set(40), make_set(8), settings) for _ in range(2)
    )
    straight.train_epoch()
    state = copy.deepcopy(straight.state_dict())
    n_turned = 0
    for values in state["optimizer"]["state"].values():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.dim() == 4:
                values[name] = value.contiguous(memory_format=torch.channels_last)
                n_turned += 1
    assert n_turned == 3 * (2 if optimizer == "adam" else 1)
    for group in state["optimizer"]["param_groups"]:
        group |= {"lr": torch.tensor(5.0), "foreach": True, "fused": None}
        if optimizer == "adam":
            group["capturable"] = True
    resumed.load_state_dict(state)
    for parameter, values in resumed.optimizer.state.items():
        for value in values.values():
            assert value.shape != parameter.shape or value.stride() == parameter.stride()
    group = resumed.optimizer.param_groups[0]
    assert group["fused"] is True and not group.get("capturable")
    assert not isinstance(group["lr"], torch.Tensor)
    assert straight.train_epoch() == resumed.train_epoch()
    for name, value in straight.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_adam_eps_reaches_the_optimiser():
    trainer = Trainer(
        make_model(), make_set(40), make_set(8), dataclasses.replace(FEW, adam_eps=1e-7)
    )
    assert trainer.optimizer.param_groups[0]["eps"] == 1e-7
    before = trainer.first.weight.detach().clone()
    Trainer(
        trainer.model, make_set(40), make_set(8), dataclasses.replace(FEW, adam_eps=1e6)
    ).train_epoch()
    assert (trainer.first.weight - before).abs().max() < 1e-8  # so large an eps stops every step


def test_redrawn_labels_are_uniform_and_the_same_for_every_arm():
    def labels(epoch, **changes):
        settings = dataclasses.replace(FEW, labels="redrawn", **changes)
        return Trainer(make_model(), make_set(2000), make_set(8), settings).batches.draw(epoch)[2]

    drawn = labels(1)
    counts = drawn.bincount(minlength=2)
    assert len(counts) == 2 and abs(counts[0] - 1000) < 5 * 500**0.5  # five standard deviations
    assert torch.equal(drawn, labels(1, method="kmeans", norm=1.0, frozen=True, learning_rate=0.1))
    for other in (labels(2), labels(1, seed=1)):
        assert 0.4 < (drawn == other).double().mean() < 0.6  # independent
    trainer = Trainer(make_model(), make_set(2000), make_set(8), FEW)
    order, _, truth = trainer.batches.draw(1)
    assert torch.equal(truth, make_set(2000).labels[order])
    assert 0.4 < (drawn == truth).double().mean() < 0.6
    redrawn = Trainer(
        make_model(), make_set(2000), make_set(8), dataclasses.replace(FEW, labels="redrawn")
    )
    assert torch.equal(redrawn.batches.draw(1)[0], order)  # the images' order is not touched


def test_redrawn_labels_take_all_classes():
    images = dataclasses.replace(make_set(1000), classes=tuple("abcde"))
    torch.manual_seed(0)
    model = SimpleConv(3, 5, widths=(6, 6))
    trainer = Trainer(model, images, images, dataclasses.replace(FEW, labels="redrawn"))
    counts = trainer.batches.draw(1)[2].bincount()
    assert len(counts) == 5 and (counts - 200).abs().max() < 5 * 160**0.5


def test_train_accuracy_by_hand():
    """Of the logits that the step itself made: training mode, before it, labels as trained on."""
    settings = dataclasses.replace(FEW, labels="redrawn")
    trainer, reference = (
        Trainer(make_model(), make_set(50), make_set(8), settings) for _ in range(2)
    )
    right = 0
    reference.model.train()
    for batch in zip(*(part.split(16) for part in reference.batches.draw(1)), strict=True):
        with torch.no_grad():
            logits = copy.deepcopy(reference.model)(make_set(50).images[batch[0]] / 255)
        right += (logits.argmax(1) == batch[2]).sum().item()
        reference._step(*batch)
    assert trainer.train_epoch()[1] == right / 50


def bright_images(n=32):
    images = make_set(n)
    return images.images, images.labels


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_first_gradient(frozen, precision):
    """Against a float64 network's difference quotient, in fp32 whatever the run's precision is."""
    settings = dataclasses.replace(FEW, frozen=frozen, precision=precision)
    trainer = Trainer(make_model(), make_set(40), make_set(8), settings)
    images, labels = bright_images()
    gradient = trainer.first_gradient(images, labels)
    assert (
        gradient.shape == (27, 3, 3, 3)
        and gradient.dtype == torch.float32
        and gradient.is_contiguous()
    )
    exact = copy.deepcopy(trainer.model).double().train()

    def loss(weight):
        with torch.no_grad():
            exact.first_layer.weight.copy_(weight)
            return F.cross_entropy(exact(images.double() / 255), labels).item()

    weight = exact.first_layer.weight.detach().clone()
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        direction = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        quotient = (loss(weight + 1e-6 * direction) - loss(weight - 1e-6 * direction)) / 2e-6
        assert (gradient.double() * direction).sum().item() == pytest.approx(
            quotient, rel=1e-2, abs=1e-5
        )


def test_first_gradient_is_at_right_angles_to_each_filter():
    """Batch normalisation takes a filter's norm away again, up to its eps."""
    torch.manual_seed(0)
    model = SimpleConv(3, 2, widths=(6, 6), bn_eps=1e-12)
    trainer = Trainer(model, make_set(40), make_set(8), FEW)
    gradient = trainer.first_gradient(*bright_images()).flatten(1).double()
    weight = model.first_layer.weight.detach().flatten(1).double()
    cosines = (gradient * weight).sum(1) / (gradient.norm(dim=1) * weight.norm(dim=1))
    assert gradient.norm(dim=1).min() > 1e-6 and cosines.abs().max() < 1e-3


@pytest.mark.parametrize("training", [False, True])
def test_first_gradient_changes_nothing(training):
    trainer = Trainer(
        make_model(), make_set(40), make_set(8), dataclasses.replace(FEW, frozen=True)
    )
    trainer.train_epoch()
    trainer.model.train(training)
    before = copy.deepcopy(trainer.model.state_dict())
    trained = [
        (name, value) for name, value in trainer.model.named_parameters() if value.requires_grad
    ]
    gradients = {name: value.grad.clone() for name, value in trained}
    trainer.first_gradient(*bright_images())
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(module.training is training for module in trainer.model.modules())
    assert not trainer.first.weight.requires_grad and trainer.first.weight.grad is None
    for name, value in gradients.items():
        assert torch.equal(dict(trainer.model.named_parameters())[name].grad, value), name


def test_repeats_equal_in_every_bit():
    for precision in ("fp32", "bf16"):
        ours = []
        for _ in range(2):
            settings = dataclasses.replace(FEW, precision=precision)
            trainer = Trainer(make_model(), make_set(64), make_set(8), settings)
            trainer.train_epoch()
            ours.append(trainer.model.state_dict())
        assert all(torch.equal(value, ours[1][name]) for name, value in ours[0].items())


@pytest.mark.parametrize("mirrored", [0, 1])
@pytest.mark.parametrize(("top", "left"), [(0, 0), (MOVE, MOVE), (2 * MOVE, 1)])
def test_augmentation_is_pad_crop_mirror(mirrored, top, left):
    images = torch.randint(
        256, (3, 2, 9, 11), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    moves = torch.tensor([[mirrored, top, left]] * 3)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (MOVE, MOVE), (MOVE, MOVE)), mode="reflect")
    if mirrored:
        # The crop is taken from the mirrored image's place, then its columns are read the other
        # way.
        padded = np.pad(
            images.numpy()[..., ::-1], ((0, 0), (0, 0), (MOVE, MOVE), (MOVE, MOVE)), mode="reflect"
        )
    expected = padded[:, :, top : top + 9, left : left + 11]
    np.testing.assert_array_equal(augment(images, moves), expected)


def test_augmentation_draws_every_move():
    settings = dataclasses.replace(FEW, augmentation="flip_crop")
    _, moves, _ = Trainer(make_model(), make_set(2000), make_set(8), settings).batches.draw(1)
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


@pytest.mark.parametrize("change", [{}, {"augmentation": "flip_crop", "drop_after": 1}])
def test_runs_side_by_side_end_as_each_alone(change):
    settings = dataclasses.replace(FEW, epochs=2, learning_rate=0.01, **change)
    train_set, test_set = make_set(50), make_set(120, seed=1)
    models = [make_model(seed) for seed in (0, 1, 2)]
    before = [copy.deepcopy(model.state_dict()) for model in models]
    accuracies, filters = train_side_by_side(models, train_set, test_set, settings)
    for model, old, accuracy, end in zip(models, before, accuracies, filters, strict=True):
        assert all(torch.equal(model.state_dict()[name], value) for name, value in old.items())
        alone = train(model, train_set, test_set, settings)
        assert accuracy.item() == pytest.approx(alone.epochs[-1].test_accuracy, abs=1e-9)
        torch.testing.assert_close(end, alone.filters[-1], atol=1e-4, rtol=1e-3)
    assert not torch.equal(filters[0], filters[1])


@pytest.mark.parametrize("training", [True, False])
def test_mode_is_given_back(training):
    model = make_model().train(training)
    train(model, make_set(20), make_set(8), dataclasses.replace(FEW, epochs=1))
    assert model.training is training


@pytest.mark.parametrize("steps_before", [0, 2])
def test_what_capturing_a_step_does_is_undone(steps_before):
    """Warming up trains; afterwards all is as it was.

    The model, the optimiser and the sum of losses are as before, in the same place.
    """
    trainer = Trainer(make_model(), make_set(40), make_set(8), FEW)
    batch = torch.arange(16), torch.zeros(16, 0, dtype=torch.int64), torch.arange(16) % 2
    for _ in range(steps_before):
        trainer._step_eagerly(*batch)
    reference = Trainer(make_model(), make_set(40), make_set(8), FEW)
    for _ in range(steps_before):
        reference._step_eagerly(*batch)
    place = trainer.first.weight.data_ptr()
    with undone(trainer._state):
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


def test_a_trainer_leaves_the_process_as_it_was(monkeypatch):
    """Its memory and torch's flags belong to whoever owns the process."""
    monkeypatch.setattr(process, "_keep_freed_memory", lambda: pytest.fail("set by a trainer"))
    flags = torch.backends.cudnn.deterministic, torch.backends.cuda.matmul.fp32_precision
    Trainer(make_model(), make_set(16), make_set(8), FEW).train_epoch()
    assert flags == (torch.backends.cudnn.deterministic, torch.backends.cuda.matmul.fp32_precision)
