"""The filter explorer: what is embedded is what was given, and a reader finds it."""

import base64
import io

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from companion.pages.explorer import explorer_html
from tests.fragments import embedded, stored
from tests.fragments import explorer_bank as bank


def fragment(*banks):
    return explorer_html(list(banks) or [bank()], still_alt="filters before and after")


@pytest.mark.parametrize("channels", [1, 3])
def test_round_trip(channels):
    given = bank(channels=channels)
    (kept,) = embedded(fragment(given))["banks"]
    unit = given.filters.reshape(4, 5, -1)
    unit = unit / np.linalg.norm(unit, axis=2, keepdims=True)
    weights = stored(kept["filters"], "int8").reshape(unit.shape) / 127
    np.testing.assert_allclose(weights, unit, atol=0.51 / 127)
    assert kept["shape"] == [5, channels, 3, 3] and kept["epochs"] == [0, 1, 2, 6]
    curves = 2 * (stored(kept["curves"], "<u2").reshape(7, -1) / 65535) ** 2
    wanted = np.column_stack([given.distances, given.null, given.null_band])
    np.testing.assert_allclose(curves, wanted, rtol=0.003)
    assert (curves[0, 5:] == 0).all()


def test_banks_of_a_data_set_share_one_scale_of_colours_whatever_their_norm():
    banks = [bank(), bank(method="b"), bank(dataset="Fashion-MNIST", channels=1)]
    longer = bank(method="b", filters=7 * banks[1].filters)
    scales = [kept["scale"] for kept in embedded(fragment(*banks))["banks"]]
    assert scales[0] == scales[1] < scales[2], "the fewer weights, the larger each at norm 1"
    assert embedded(fragment(longer))["banks"][0]["scale"] == pytest.approx(scales[0], rel=0.2)
    assert 0 < scales[0] <= 1


def test_order_and_labels_are_kept():
    banks = [
        bank(method=method, norm=norm) for method in ("b", "a") for norm in ("5", "0.45 (Glorot's)")
    ]
    kept = embedded(fragment(*banks))["banks"]
    assert [(b["method"], b["norm"]) for b in kept] == [(b.method, b.norm) for b in banks]


def test_bank_of_zeros():
    (kept,) = embedded(fragment(bank(filters=np.zeros((4, 5, 1, 3, 3)))))["banks"]
    assert not stored(kept["filters"], "int8").any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distances": np.ones((7, 4))}, r"distances has shape \(7, 4\); \(7, 5\)"),
        ({"null_band": np.ones((6, 2))}, r"null_band has shape \(6, 2\); \(7, 2\)"),
        ({"epochs": np.array([0, 1, 6])}, r"epochs has shape \(3,\); \(4,\)"),
    ],
)
def test_shapes_that_do_not_go_together(changes, message):
    with pytest.raises(ValueError, match=message):
        bank(**changes)


def test_two_banks_of_one_name():
    with pytest.raises(ValueError, match=r"'CIFAR-10', 'k-means', '1'"):
        fragment(bank(), bank())


@pytest.mark.parametrize("channels", [1, 3])
def test_still_picture(channels):
    """Filters turn from positive to negative: from bright to dark, or from red to blue."""
    filters = np.zeros((2, 9, channels, 3, 3))
    filters[0], filters[1] = 0.5, -0.5
    still = BeautifulSoup(fragment(bank(2, 9, filters=filters)), "html.parser").find("noscript")
    assert still.find("figcaption").get_text() == "CIFAR-10, k-means, norm 1"
    picture = still.find("img")
    assert picture["alt"] == "filters before and after"
    data = base64.b64decode(picture["src"].removeprefix("data:image/png;base64,"))
    colors = Image.open(io.BytesIO(data)).convert("RGB").getcolors(1_000_000)
    common = {color for _, color in sorted(colors, reverse=True)[:3]}  # with the white ground
    assert common >= ({(0, 0, 0)} if channels == 3 else {(103, 0, 31), (5, 48, 97)})


# --- As a reader has it ---------------------------------------------------------------------------

PAIRS = """(() => {
  const at = selector => [...document.querySelectorAll(selector)]
    .flatMap((part, i) => part.classList.contains('chosen') ? [i] : []);
  return [at('.bank button'), at('.plot .one')];
})()"""


@pytest.fixture
def explorer(show):
    """The explorer of two banks of five filters, whose lines lie far apart."""
    far = np.outer(np.linspace(0, 1, 7), [0.02, 0.1, 0.3, 0.6, 1.0])
    banks = [bank(distances=far, norm=norm) for norm in ("0.45", "1")]
    return show(fragment(*banks))


def test_it_opens_with_what_training_came_to(explorer):
    assert explorer.text("output") == "epoch 6 of 6"
    assert explorer.text(".bank button:last-child") == "1.0"
    assert explorer.text(".summary").startswith("At epoch 6 of 6: median distance 0.30")
    assert "null" not in explorer.run("document.querySelector('.app').textContent")


def test_a_filter_and_its_line_by_mouse_finger_and_keyboard(explorer):
    assert explorer.run(PAIRS) == [[], []]
    explorer.press(".bank button", "ArrowRight", "ArrowRight")
    assert explorer.run(PAIRS) == [[2], [2]]
    assert explorer.run("document.activeElement.getAttribute('aria-label')") == (
        "filter 3, distance 0.30"
    )
    explorer.click(".bank button:nth-child(5)")
    explorer.run("document.activeElement.blur()")
    assert explorer.run(PAIRS) == [[4], [4]], "a choice stays"
    explorer.touch(explorer.place(".bank button:nth-child(2)", 0.5, 0.3))
    assert explorer.run(PAIRS) == [[1], [1]]
    explorer.run("document.querySelector('[type=checkbox]').click()")
    assert explorer.run(PAIRS) == [[1], [1]], "a new plot knows it as well"


def test_a_line_leads_to_its_filter(explorer):
    explorer.run("document.querySelector('[type=checkbox]').click()")
    # On the linear axis from 0 to 1, the fourth line ends at 0.6.
    explorer.mouse(explorer.place(".plot", 349 / 360, (238 - 0.6 * 212) / 276))
    assert explorer.run(PAIRS) == [[3], [3]]
    explorer.mouse(explorer.place(".plot", 0.3, 0.2))  # where no line is
    assert explorer.run(PAIRS) == [[], []]


def test_a_choice_of_norm_keeps_the_epoch(explorer):
    explorer.press("[type=range]", "ArrowLeft")
    explorer.press("select[data-key=norm]", "ArrowDown")
    assert explorer.text("output") == "epoch 2 of 6"
    assert explorer.run(PAIRS) == [[], []]
