"""Figures to drag: what is embedded is what was given."""

import numpy as np
import pytest
import torch

from companion.pages.widgets.lloyd import lloyd_html
from companion.pages.widgets.sample_size import sample_size_html
from companion.pages.widgets.turn import turn_html
from companion.pages.widgets.window import window_html
from companion.pages.widgets.your_image import your_image_html
from tests.fragments import banks, embedded, stored

STILL = "See above."
EDGE = torch.tensor([-1.0, 0, 1]).expand(3, 3, 3)


def test_the_window_holds_the_image_and_the_filters(generator):
    image = torch.randint(256, (1, 9, 7), dtype=torch.uint8, generator=generator)
    weights = torch.randn(1, 5, 5, generator=generator)
    data = embedded(window_html(image, {"a": weights, "b": -weights}, start=(4, 2), still=STILL))
    assert data["shape"] == [1, 9, 7] and data["side"] == 5 and data["start"] == [4, 2]
    assert (stored(data["image"], "u1") == image.numpy().ravel()).all()
    assert [each["name"] for each in data["filters"]] == ["a", "b"]
    np.testing.assert_allclose(data["filters"][1]["weights"], -weights.flatten(), rtol=1e-5)
    as_floats = window_html(image / 255, {"a": weights}, start=(4, 2), still=STILL)
    assert embedded(as_floats)["image"] == data["image"]


def test_samples_are_held_against_the_reference(generator):
    """A bank in another order and with other signs is the same; one of other planes is not."""
    reference, other = banks(2, generator)
    order = torch.randperm(27, generator=generator)
    same = -reference[order]
    # The second and third component, turned by 30 degrees within their plane ...
    turned = reference.clone()
    turned[1] = 0.75**0.5 * reference[1] + 0.5 * reference[2]
    turned[2] = 0.75**0.5 * reference[2] - 0.5 * reference[1]
    samples = {1: [same, other], 100: [turned, reference]}
    data = embedded(sample_size_html(reference, samples, leading=2, still=STILL))
    assert data["sizes"] == [1, 100] and data["order"][0][0] == order.tolist()
    assert data["agreement"][0][0] == [1.0] * 27 and max(data["agreement"][0][1]) < 1
    assert data["agreement"][1][0][:4] == [1.0, 0.866, 0.866, 1.0]
    # ... which leaves the first two a space that differs from the reference's by as much.
    assert data["angles"][1] == [30.0, 0.0]
    bank = data["bank"]
    values = stored(bank["values"], "i1").reshape(bank["shape"]) * bank["step"]
    wanted = torch.stack([reference, same, other, turned, reference])
    np.testing.assert_allclose(values, wanted, atol=0.51 * bank["step"])


def test_points_of_lloyd(generator):
    points = torch.randn(50, 2, generator=generator)
    data = embedded(lloyd_html(points, points[:3], still=STILL))
    found = stored(data["points"], "<i2").reshape(-1, 2) * data["step"]
    np.testing.assert_allclose(found, points, atol=0.51 * data["step"])
    np.testing.assert_allclose(data["start"], points[:3], atol=1e-4)
    flat = embedded(lloyd_html(0 * points, points[:3], still=STILL))
    assert not stored(flat["points"], "<i2").any()


def test_your_image_with_and_without_a_reference(generator):
    (reference,) = banks(1, generator)
    known, unknown = your_image_html(reference), your_image_html(None)
    assert "bank" in embedded(known) and "had no CIFAR-10" not in known
    assert "bank" not in embedded(unknown) and "had no CIFAR-10" in unknown


def window(**changes):
    given = {"image": torch.ones(3, 8, 8), "filters": {"a": EDGE}, "start": (0, 0)}
    return window_html(**given | changes, still=STILL)


def samples(leading, *counts):
    bank = torch.eye(27).reshape(27, 3, 3, 3)
    return sample_size_html(bank, {n: n * [bank] for n in counts}, leading=leading, still=STILL)


def lloyd(points, start):
    return lloyd_html(torch.ones(points), torch.ones(start), still=STILL)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: window(image=torch.ones(2, 8, 8)), "C=2 channels"),
        (lambda: window(filters={"a": EDGE, "b": EDGE[:, :2, :2]}), r"one shape \(3, k, k\)"),
        (lambda: window(filters={"a": EDGE[:1]}), r"one shape \(3, k, k\)"),
        (lambda: window(filters={}), r"one shape \(3, k, k\)"),
        (lambda: window(start=(6, 0)), r"start=\(6, 0\).* \(0, 0\) to \(5, 5\)"),
        (lambda: window(start=(0, -1)), r"start=\(0, -1\)"),
        (lambda: samples(7, 1, 2), r"\[1, 2\] banks"),
        (lambda: samples(28, 1), "leading=28 should be between 1 and F = 27"),
        (lambda: lloyd((50, 3), (2, 2)), r"points has shape \(50, 3\)"),
        (lambda: lloyd((7, 2), (2, 2)), r"points has shape \(7, 2\).*from 8"),
        (lambda: lloyd((50, 2), (9, 2)), r"start has shape \(9, 2\).*from 2 to 8"),
        (lambda: turn_html({"long": 5.0}), r"marks\['long'\]=5.0 should be between 0.25 and 4"),
        (lambda: turn_html({}, step=0), "step=0 should be > 0"),
        (lambda: your_image_html(torch.ones(9, 1, 3, 3)), r"\(9, 1, 3, 3\); \(27, 3, 3, 3\)"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
