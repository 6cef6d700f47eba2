"""Widgets that draw seeds, rebuild images and morph patches, in a real browser."""

from itertools import combinations

import numpy as np

from companion.intervals import mean_interval
from companion.pages.widgets.three_seeds import three_seeds_html
from tests.browser import number

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
