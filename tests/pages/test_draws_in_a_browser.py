"""Widgets that draw seeds, rebuild images and morph patches, in a real browser."""

from itertools import combinations

import numpy as np
import pytest
import torch

from companion.argument.modes import valleys
from companion.evidence.comparisons import COSINE, GLOROT, accuracy
from companion.evidence.stages import read_stages, stages_to_show
from companion.intervals import mean_interval
from companion.pages.finding import courses
from companion.pages.widgets.morph import morph_html
from companion.pages.widgets.rebuilt import rebuilt_html
from companion.pages.widgets.starts import Start, starts_html
from companion.pages.widgets.three_seeds import three_seeds_html
from patchinit.filters import random_orthonormal
from tests.browser import number
from tests.fragments import embedded

# --- Three seeds ----------------------------------------------------------------------------------

SEEDS = {
    "two": [0.5, -0.3],
    "components \u2212 Glorot": [1.02, 0.84, 0.79, 1.9, 0.97, 1.29],
    "k-means \u2212 Glorot": [-0.9, -0.8, -0.95, -0.7],
}


def tally(browser):
    text = browser.text(".tally")
    return [int(number(text, word)) for word in ("seeds:", "above", "below", "tell")]


def test_three_seeds_are_drawn_and_judged(show):
    browser = show(three_seeds_html(SEEDS))
    values, drawn, sides = np.array(SEEDS["components \u2212 Glorot"]), set(), []
    for _ in range(8):
        browser.click(".draw")
        text = browser.text(".summary")
        pairs = [int(n) - 1 for n in text.removeprefix("Pairs ").split(":")[0].split(", ")]
        assert len(set(pairs)) == 3
        interval = mean_interval(values[pairs])
        assert f": {interval:+.2f} pp" in text
        sides.append(interval.side())
        assert ("above" in text, "below" in text) == (sides[-1] == 1, sides[-1] == -1)
        drawn.add(tuple(pairs))
    assert tally(browser) == [8, *(sides.count(side) for side in (1, -1, 0))]
    assert len(drawn) > 2
    assert browser.run("document.querySelectorAll('.draws .chosen').length") == 3


def test_after_ten_draws_all_ways_are_counted(show):
    browser = show(three_seeds_html(SEEDS))
    for name, other in zip(list(SEEDS)[1:], ("ArrowDown", "ArrowUp"), strict=True):
        values = SEEDS[name]
        browser.click(".ten")
        text = browser.text(".summary").split("All ", 1)[1]
        sides = [mean_interval(three).side() for three in combinations(values, 3)]
        found = [number(text, word) for word in ("above", "below", "tell")]
        assert found == [sides.count(side) for side in (1, -1, 0)]
        assert f"{mean_interval(values):+.2f} pp" in text
        assert tally(browser)[0] == 10
        browser.press("select", other)
        assert tally(browser) == [0, 0, 0, 0]


def test_three_seeds_by_keyboard_and_from_the_start(show):
    browser = show(three_seeds_html(SEEDS))
    assert browser.run("[...document.querySelector('select').options].map(o => o.text)") == [
        name for name, values in SEEDS.items() if len(values) > 3
    ]
    browser.run("document.querySelector('.draw').focus()")
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
    browser.call("Input.dispatchKeyEvent", type="keyDown", **key)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **key)
    assert tally(browser)[0] == 1
    browser.click(".again")
    assert tally(browser)[0] == 0


def test_too_few_pairs_are_a_sentence():
    page = three_seeds_html({"a": [1.0, 2.0, 3.0]})
    assert "script" not in page and "4 pairs" in page


def test_equal_pairs(show):
    browser = show(three_seeds_html({"a": [0.5] * 4, "b": [0.0] * 5}))
    browser.click(".draw")
    assert tally(browser)[1] == 1
    browser.press("select", "ArrowDown")
    browser.click(".draw")
    assert tally(browser)[3] == 1


# --- An image rebuilt -----------------------------------------------------------------------------

PIXELS = """[...document.querySelectorAll('.images canvas')].map(c =>
  [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"""


def rebuilt(image, bank, points, m):
    """The same by torch, (C, H, W)."""
    pixels = image.double()[None]
    columns = torch.nn.functional.unfold(pixels, 3)[0].T  # (P, d)
    mean, spread = columns.mean(1, keepdim=True), columns.std(1, keepdim=True, correction=0)
    centre, scale = points.mean(0), points.std(0, correction=0)
    features = ((columns - mean) / spread - centre) / scale
    flat = bank.double().flatten(1)[:m]
    back = (features @ flat.T @ flat * scale + centre) * spread + mean
    back = torch.where(spread > 0, back, columns).T[None]
    sums, times = (
        torch.nn.functional.fold(part, image.shape[1:], 3) for part in (back, torch.ones_like(back))
    )
    return (sums / times)[0].clamp(0, 255)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_rebuilt(show, generator, channels):
    image = torch.randint(256, (channels, 12, 14), dtype=torch.uint8, generator=generator)
    image[:, :5, :5] = 90  # patches without contrast stay what they are
    d, shape = 9 * channels, (9 * channels, channels, 3, 3)
    points = torch.randn(200, d, generator=generator).double() * torch.linspace(1, 2, d)
    banks = {
        name: random_orthonormal(shape, generator=generator).filters for name in ("one", "two")
    }
    browser = show(rebuilt_html(image, banks, points, still="still"))
    features = (points - points.mean(0)) / points.std(0, correction=0)
    for keys, m in (([], 1), (["ArrowRight"] * 3, 4), (["End"], d)):
        browser.press("[type=range]", *keys)
        drawn = [
            np.array(pixels).reshape(12, 14, 4).transpose(2, 0, 1)[:channels]
            for pixels in browser.run(PIXELS)
        ]
        assert (drawn[0] == image.numpy()).all()
        for (name, bank), found in zip(banks.items(), drawn[1:], strict=True):
            np.testing.assert_allclose(found, rebuilt(image, bank, points, m), atol=0.6)
            flat = bank.double().flatten(1)[:m]
            left = features - features @ flat.T @ flat
            kept = 100 * (1 - (left.square().sum() / features.square().sum()).item())
            assert number(browser.text(".summary"), name) == pytest.approx(kept, abs=0.51)
    for found in drawn[1:]:  # with all filters nothing is lost
        np.testing.assert_allclose(found, image, atol=0.6)


def test_of_a_large_image_the_middle_is_rebuilt(show, generator):
    image = torch.rand(1, 70, 30, generator=generator)
    bank = random_orthonormal((9, 1, 3, 3), generator=generator).filters
    points = torch.randn(50, 9, generator=generator)
    browser = show(rebuilt_html(image, {"one": bank}, points, still="still"))
    size = browser.run(
        "[document.querySelector('.images canvas').width,"
        " document.querySelector('.images canvas').height]"
    )
    assert size == [30, 48]


def test_what_cannot_be_rebuilt(generator):
    bank = torch.rand(9, 1, 3, 3)
    for image, banks in ((torch.rand(3, 8, 8), {"a": bank}), (torch.rand(1, 8, 8), {})):
        with pytest.raises(ValueError, match="banks have shapes"):
            rebuilt_html(image, banks, torch.rand(20, 9), still="still")


# --- From one centroid to its neighbour -----------------------------------------------------------


@pytest.fixture
def clouds(generator):
    """Centres, points in two clumps of which each has two centres, and an even cloud; d = 9."""
    clump = torch.randn(2, 9, generator=generator).double()
    centres = clump.repeat(2, 1) + 0.3 * torch.randn(4, 9, generator=generator).double()
    points = clump.repeat(150, 1) + 0.4 * torch.randn(300, 9, generator=generator).double()
    even = torch.randn(300, 9, generator=generator).double()
    points, even = (3 * torch.nn.functional.normalize(x, dim=1) for x in (points, even))
    return centres.reshape(4, 1, 3, 3), points, even


def test_a_patch_morphs_over_the_density(show, clouds):
    centres, points, even = clouds
    browser = show(morph_html(centres, points, even, still="still"))
    pair = browser.run("document.querySelector('select').selectedOptions[0].text")
    i, j = (int(n) - 1 for n in pair.replace(" (valley)", "").split(" and "))
    a, b = (3 * torch.nn.functional.normalize(centres[n].flatten(), dim=0) for n in (i, j))
    reach = [(x - points).norm(dim=1).kthvalue(20).values for x in (a, b)]

    def near(share, cloud):
        place = 3 * torch.nn.functional.normalize((1 - share) * a + share * b, dim=0)
        return (place - cloud).norm(dim=1).le(max(reach) + 1e-9).sum().item()

    for keys, share in (([], 0.5), (["ArrowRight"] * 4, 0.625), (["End"], 1)):
        browser.press("[type=range]", *keys)
        text = browser.text(".summary")
        assert number(text, "way:") == pytest.approx(near(share, points), abs=1)
        assert number(text, "near, and") == near(share, even)
        assert number(text, "Midway") == near(0.5, points)
        assert ("no valley" in text) == (not valleys(centres.flatten(1), points)[i])
    drawn = browser.run(
        "[...document.querySelectorAll('.stations canvas')].map(c => c.toDataURL())"
    )
    assert drawn[1] == drawn[2] != drawn[0]  # it has arrived
    browser.mouse(browser.place(".density", 40 / 360, 0.5))
    assert browser.text("output").startswith("0 %")


def test_pairs_with_a_valley_come_first(show, clouds):
    centres, points, even = clouds
    half = torch.cat([points[::2][:150], -points[::2][:150]])
    opposite = torch.cat([centres[:1], -centres[:1]])
    browser = show(morph_html(opposite, half, even, still="still"))
    assert "a valley" in browser.text(".summary")
    assert browser.run("document.querySelectorAll('option').length") == 1


def test_other_numbers_of_points_are_counted_as_if_as_many(clouds):
    centres, points, even = clouds
    few, many = (
        embedded(morph_html(centres, points, cloud, still="still"))["pairs"]
        for cloud in (even, even.repeat(3, 1))
    )
    assert few == many


# --- Starts to choose from ------------------------------------------------------------------------


@pytest.fixture
def starts(generator):
    filters = torch.randn(3, 9, 3, 3, 3, generator=generator)
    return [
        Start("<i>one</i>", (0, 2, 5), filters, mean_interval([0.5, 0.7, 1.2, 0.8])),
        Start("two", (0, 1, 5), 3 * filters.flip(0), mean_interval([-1, 1.2, 0.4])),
        Start("Glorot", (0, 2, 5), filters + 1),
        Start("untrained", (0,), filters[:1]),
        Start("few", (0, 5), filters[:2], mean_interval([3.0])),
    ]


DRAWN = """[...document.querySelectorAll('.bank canvas')].map(c =>
  [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"""


def test_a_start_is_chosen_and_trained(show, starts):
    browser = show(starts_html(starts, place="a <place>"))
    peak = embedded(starts_html(starts, place="x"))["peak"]
    assert browser.text(".summary").startswith("<i>one</i>, at the start. The network ends ")
    assert f"{starts[0].lead:+.2f}".split(" [")[0] + " points" in browser.text(".summary")

    def matches(filters):
        unit = filters / filters.flatten(1).norm(dim=1)[:, None, None, None]
        wanted = 127.5 * ((unit / peak).clamp(-1, 1) + 1)  # (F, C, k, k)
        drawn = np.array(browser.run(DRAWN)).reshape(9, 3, 3, 4)[..., :3].transpose(0, 3, 1, 2)
        np.testing.assert_allclose(drawn, wanted, atol=2.5)

    matches(starts[0].filters[0])
    browser.press("[type=range]", "ArrowRight")
    assert browser.text("output") == "after epoch 2"
    matches(starts[0].filters[1])
    browser.press("[type=range]", "End")
    browser.click(".buttons button:nth-child(2)")
    assert browser.text("output") == "after epoch 5"
    matches(starts[1].filters[2])
    text = browser.text(".summary")
    assert f"{starts[1].lead:+.2f}".split(" ", 1)[1] in text and "3 pairs" in text
    assert browser.run("document.querySelectorAll('[aria-pressed=true]').length") == 1
    assert browser.run("document.querySelectorAll('.leads g').length") == 2


def test_starts_without_runs_or_without_a_lead(show, starts):
    browser = show(starts_html(starts, place="here"))
    for place, words in ((3, "held against"), (4, "No network was"), (5, "too few")):
        browser.click(f".buttons button:nth-child({place})")
        assert words in browser.text(".summary")
    assert browser.run("document.querySelector('[type=range]').disabled") is False
    browser = show(starts_html(starts[3:4], place=""))
    assert browser.run("document.querySelector('.leads').hasAttribute('hidden')")
    assert browser.run("document.querySelector('[type=range]').disabled")


def test_starts_of_several_shapes_are_refused(starts):
    odd = Start("odd", (0,), torch.rand(1, 4, 1, 3, 3))
    with pytest.raises(ValueError, match="shapes"):
        starts_html([*starts, odd], place="here")


def test_courses_are_those_of_the_runs():
    runs = read_stages()
    on = next(s for s in stages_to_show(runs) if s.dataset == "cifar10")
    found = {start.name: start for start in courses(on)}
    assert len(found) > 4 and found["Glorot uniform"].lead is None
    waves, run = found["cosine basis"], on.arm(COSINE).results[0]
    assert waves.epochs[0] == 0 and waves.epochs[-1] == run.filter_epochs[-1]
    assert (waves.filters[-1].numpy() == run.filters[-1]).all()
    assert waves.lead == accuracy(on, {COSINE: 1, GLOROT: -1}).estimate.interval()
