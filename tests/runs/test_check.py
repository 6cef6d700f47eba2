"""The check of a device: it passes on a CPU, and what it is there to find makes it fail."""

import pytest
import torch

from companion.runs import check
from companion.runs.cli import main
from companion.runs.trainer import Trainer

ALL_VARIANTS = list(check._variants("cpu"))


@pytest.fixture(autouse=True)
def few_variants(monkeypatch):
    """The whole takes half a minute; every kind of check stays."""
    monkeypatch.setattr(check, "SIZE", 12)
    monkeypatch.setattr(check, "_variants", lambda device: [ALL_VARIANTS[0], ALL_VARIANTS[-1]])
    monkeypatch.setattr(check, "WIDTHS", (2,))


def lines(capsys):
    """Verdict of each check by name."""
    return {
        line[:52].strip(): line[52:].split()[0] for line in capsys.readouterr().out.splitlines()
    }


def test_variants_are_every_combination():
    names = ("precision", "optimizer", "augmentation", "frozen")
    found = {
        (*(getattr(settings, name) for name in names), channels)
        for settings, channels in ALL_VARIANTS
    }
    assert len(found) == len(ALL_VARIANTS) == 2**5
    assert len({check._name(variant) for variant in ALL_VARIANTS}) == 2**5


def test_a_cpu_passes(capsys):
    assert check.check_device("cpu")
    found = lines(capsys)
    assert "fail" not in found.values()
    assert (
        found["fp32 adam: resumed = not stopped"]
        == found["bf16 sgd: resumed, other layout"]
        == "pass"
    )
    skipped = {name for name, verdict in found.items() if verdict == "skipped"}
    assert {name.partition(": ")[2] or name for name in skipped} == {
        "a second GPU", "captured = eager", "resumed from the CPU", "resumed on the CPU",
    }  # fmt: skip


@pytest.mark.parametrize("has_it", [True, False])
def test_slow_bf16_is_said(monkeypatch, has_it):
    monkeypatch.setattr(check, "computes_in_bf16", lambda: has_it)
    rates = {"fp32": 300.0, "bf16": 50.0}
    monkeypatch.setattr(check, "_images_a_second", lambda d, precision, w: (rates[precision], True))
    fine, text = check._training_rate("cpu", "bf16", 2)
    assert fine and text.startswith("50 images/s")
    assert ("fp32 is 6.0 times as fast: this processor has no bf16" in text) is not has_it
    assert check._training_rate("cpu", "fp32", 2) == (True, "300 images/s")
    assert ("oneDNN: yes" in check._versions("cpu")[1]) is has_it


def test_no_time_left_skips_and_says_so(capsys):
    assert check.check_device("cpu", seconds=0)
    text = capsys.readouterr().out
    assert text.count("the 0 s are over") == text.count("\n") > 10


def test_moments_in_another_layout_are_found(monkeypatch, capsys):
    """As `load_state_dict` once was: moments keep the order of memory they were saved with."""

    def without_conversion(trainer, state):
        trainer.model.load_state_dict(state["model"])
        trainer.optimizer.load_state_dict(state["optimizer"])
        for group in trainer.optimizer.param_groups:
            group |= {"lr": 0.01, "capturable": False} if "capturable" in group else {"lr": 0.01}
        trainer.epoch = state["epoch"]

    monkeypatch.setattr(Trainer, "load_state_dict", without_conversion)
    assert not check.check_device("cpu")
    found = lines(capsys)
    for precision in ("fp32", "bf16"):
        for optimizer in ("adam", "sgd"):
            assert found[f"{precision} {optimizer}: resumed = not stopped"] == "pass"
            assert found[f"{precision} {optimizer}: resumed, other layout"] == "fail"


def test_steps_that_do_nothing_are_found(monkeypatch, capsys):
    """As a graph that was captured on another GPU's stream would be."""
    monkeypatch.setattr(Trainer, "_step", lambda trainer, *batch: None)
    assert not check.check_device("cpu")
    verdicts = {
        verdict for name, verdict in lines(capsys).items() if name.endswith("a step trains")
    }
    assert verdicts == {"fail"}


def test_an_exception_is_a_failed_check(monkeypatch, capsys):
    def broken(trainer, state):
        raise RuntimeError("no such\nluck")

    monkeypatch.setattr(Trainer, "load_state_dict", broken)
    assert not check.check_device("cpu")
    assert "RuntimeError: no such" in capsys.readouterr().out


def test_runs_that_are_not_repeatable_are_found(monkeypatch):
    step, noise = Trainer._step, torch.Generator().manual_seed(0)

    def with_noise(trainer, *batch):
        step(trainer, *batch)
        with torch.no_grad():
            trainer.first.weight += 1e-6 * torch.randn(trainer.first.weight.shape, generator=noise)

    monkeypatch.setattr(Trainer, "_step", with_noise)
    assert check._twice("cpu", check._settings())[0] is False


def test_exit_status(monkeypatch):
    monkeypatch.setattr(
        "companion.runs.cli.check_device",
        lambda device, seconds: (device, seconds) == ("cpu", 3.0),
    )
    assert main(["check", "--device", "cpu", "--seconds", "3"]) == 0
    assert main(["check", "--device", "cpu", "--seconds", "4"]) == 1
