"""What must hold on every device that trains: `pytest tests/runs --device cuda`."""

import dataclasses
import io
from itertools import product

import pytest
import torch

from companion.runs import check
from companion.runs.cli import main
from companion.runs.process import prepare_process
from companion.runs.settings import Settings
from companion.simpleconv import SimpleConv
from companion.runs.trainer import Trainer
from tests.runs.test_trainer import make_set

PRECISIONS = ("fp32", "tf32", "bf16")
OPTIMIZERS = ("adam", "sgd")


@pytest.fixture
def trainer(device):
    """Makes one for settings; 200 images are batches of 80, 80 and 40: two captured steps."""

    def make(on=device, channels=3, capture=None, **changes):
        settings = Settings(epochs=9, batch_size=80, widths=(6,) * 3, learning_rate=0.01, **changes)
        if settings.precision not in check.precisions(on):
            pytest.skip(f"{settings.precision} is not for {on}")
        prepare_process(on, settings.precision)
        images = make_set(200)
        images = (
            dataclasses.replace(images, images=images.images[:, :channels])
            if channels < 3
            else images
        )
        torch.manual_seed(0)
        model = SimpleConv(channels, 2, widths=settings.widths)
        return Trainer(model, images, images, settings, device=on, capture=capture)

    return make


def losses(trainer, epochs):
    return [trainer.train_epoch()[0] for _ in range(epochs)]


def weights(trainer):
    return {
        name: value.detach().cpu().clone() for name, value in trainer.model.state_dict().items()
    }


def equal(one, other):
    theirs = weights(other)
    return all(torch.equal(value, theirs[name]) for name, value in weights(one).items())


def stored(trainer):
    """The trainer's state as a checkpoint gives it back."""
    buffer = io.BytesIO()
    torch.save(trainer.state_dict(), buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), map_location="cpu", weights_only=True)


@pytest.mark.parametrize(
    ("frozen", "augmentation", "channels", "optimizer", "precision"),
    list(product((False, True), ("none", "flip_crop"), (3, 1), OPTIMIZERS, PRECISIONS)),
)
def test_a_step_moves_what_it_should(
    trainer, device, frozen, augmentation, channels, optimizer, precision
):
    """And, where it is captured, does what the eager one does."""
    kind = {"augmentation": augmentation, "optimizer": optimizer, "precision": precision}
    one = trainer(frozen=frozen, channels=channels, **kind)
    before, course, after = weights(one), losses(one, 2), weights(one)
    assert torch.equal(before["features.0.weight"], after["features.0.weight"]) is frozen
    assert not torch.equal(before["features.3.weight"], after["features.3.weight"])
    assert 0 < course[1] < course[0]
    if device != "cpu":
        eager = losses(trainer(frozen=frozen, channels=channels, capture=False, **kind), 2)
        assert course == pytest.approx(eager, rel=1e-3 if precision == "fp32" else 1e-2)


@pytest.mark.parametrize(("precision", "optimizer"), list(product(PRECISIONS, OPTIMIZERS)))
def test_a_run_is_the_same_twice_and_resumed(trainer, device, precision, optimizer):
    straight, again, begun, resumed, turned = (
        trainer(precision=precision, optimizer=optimizer) for _ in range(5)
    )
    course = losses(straight, 4)
    losses(again, 4), losses(begun, 2)
    assert equal(straight, again)
    resumed.load_state_dict(stored(begun))
    turned.load_state_dict(of_another_device(stored(begun)))
    for one in (resumed, turned):
        rest = losses(one, 2)
        if device == "cpu":
            assert rest == course[2:] and equal(one, straight)
        else:
            assert rest == pytest.approx(course[2:], rel=1e-2)


def of_another_device(state):
    """A trainer's state with moments in the other memory layout, and options of another device."""
    last = state["model"]["features.3.weight"].is_contiguous(memory_format=torch.channels_last)
    layout = torch.contiguous_format if last else torch.channels_last
    for values in state["optimizer"]["state"].values():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.dim() == 4:
                values[name] = value.contiguous(memory_format=layout)
    for group in state["optimizer"]["param_groups"]:
        if "capturable" in group:
            group["capturable"] = not group["capturable"]
        group["lr"] = torch.tensor(123.0)
    return state


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("to_the_cpu", [True, False])
def test_a_run_goes_on_elsewhere(trainer, device, precision, to_the_cpu):
    if device == "cpu":
        pytest.skip("needs a GPU beside the CPU: --device cuda")
    places = (device, "cpu") if to_the_cpu else ("cpu", device)
    begun, moved = (trainer(place, precision=precision) for place in places)
    losses(begun, 2)
    moved.load_state_dict(stored(begun))
    assert losses(moved, 1) == pytest.approx(losses(begun, 1), rel=0.05)


def test_a_second_gpu(trainer, device):
    if device == "cpu" or torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    other = "cuda:1" if torch.device(device).index in (None, 0) else "cuda:0"
    course = losses(trainer(other), 2)
    assert 0 < course[1] < course[0]
    prepare_process(device, "fp32")


def test_a_gpu_without_its_flags_is_refused(trainer, device):
    if device == "cpu":
        pytest.skip("needs a GPU: --device cuda")
    one = trainer()
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    with pytest.raises(ValueError, match="prepare_process"):
        Trainer(one.model, make_set(16), make_set(16), one.settings, device=device)


# --- The command --------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(check, "N_IMAGES", 80)


def test_a_sound_device_passes(small, device, capsys):
    assert main(["check", "--device", device]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [
        f"{precision}: pass" for precision in check.precisions(device)
    ]


def without_moments(trainer, state):
    """The optimiser begins anew."""
    trainer.model.load_state_dict(state["model"])
    trainer.epoch = state["epoch"]


NOISE = torch.Generator().manual_seed(0)


def with_noise(trainer, *batch):
    trainer._step_eagerly(*batch)
    with torch.no_grad():
        trainer.first.weight += 1e-6 * torch.randn(trainer.first.weight.shape, generator=NOISE)


@pytest.mark.parametrize(
    ("name", "spoiled"),
    [
        ("load_state_dict", without_moments),
        ("_step", with_noise),
        ("_step", lambda trainer, *batch: None),  # as a graph captured on another GPU's stream
    ],
)
def test_what_is_wrong_is_found(small, monkeypatch, capsys, name, spoiled):
    monkeypatch.setattr(Trainer, name, spoiled)
    assert main(["check", "--device", "cpu"]) == 1
    assert "FAIL" in capsys.readouterr().out
