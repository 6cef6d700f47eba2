"""The race of two starts: it computes what torch computes, and it counts right."""

import base64
import io
import json
import re
import zlib

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image
from torch import nn

from companion.pages.widgets.fragment import source
from companion.pages.widgets.race import race_html
from tests.fragments import embedded, race_banks, race_page, stored

ROWS = """[...document.querySelectorAll('tbody tr')].map(
  row => [...row.querySelectorAll('td')].map(cell => +cell.textContent))"""
COUNT_WORKERS = """<script>window.made = [];
const Original = Worker; window.Worker = class extends Original {
  constructor(...all) { super(...all); made.push(this); } };</script>"""


# --- The network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [8, 7])
def test_ten_steps_are_torchs(show, generator, side):
    """Losses, gradients and weights of ten steps of Adam, and the test images that are then right.

    The last batch is smaller than the others, and holds two images.
    """
    images = torch.rand(34, 1, side, side, generator=generator).double()
    labels = torch.randint(5, (34,), generator=generator)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5),
    ).double()  # fmt: skip
    for weights in model.parameters():
        nn.init.uniform_(weights, -0.5, 1, generator=generator)
    names = ["first", "gain", "shift", "second", "secondBias", "last", "lastBias"]
    parts = dict(zip(names, model.parameters(), strict=True))
    start = {name: weights.flatten().tolist() for name, weights in parts.items()}
    batches = [torch.randperm(34, generator=generator).split(8) for _ in range(2)]
    batches = [batch.tolist() for order in batches for batch in order]

    optimiser, wanted = torch.optim.Adam(model.parameters(), lr=0.01), []
    for batch in batches:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        gradients = [weights.grad.flatten().tolist() for weights in parts.values()]
        optimiser.step()
        wanted.append((loss.item(), gradients, model[0].weight.flatten().tolist()))
    with torch.no_grad():
        right = (model.eval()(images).argmax(1) == labels).sum().item()

    browser = show("")
    given = {"images": images.flatten().tolist(), "labels": labels.tolist(), "start": start}
    given |= {"batches": batches, "side": side}
    found = browser.run(f"""(() => {{
      let onmessage;
      {source("companion.pages.widgets.race", "network.js")}
      const {{images, labels, start, batches, side}} = {json.dumps(given)};
      const net = network({{side, k: 3, filters: 4, hidden: 6, classes: 5}});
      const windows = windowsOf(images, side, 3);
      for (const [name, values] of Object.entries(start)) net.weights[name].set(values);
      const steps = batches.map(batch => {{
        const loss = net.loss(windows, labels, batch);
        const gradients = {json.dumps(names)}.map(name => [...net.gradients[name]]);
        net.adam(0.01);
        return [loss, gradients, [...net.weights.first]];
      }});
      return [steps, net.right(windows, labels, labels.map((_, i) => i))];
    }})()""")
    assert len(found[0]) == 10 and found[1] == right
    for mine, torchs in zip(found[0], wanted, strict=True):
        assert mine[0] == pytest.approx(torchs[0], rel=1e-9)
        for values, those in zip(mine[1], torchs[1], strict=True):
            np.testing.assert_allclose(values, those, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(mine[2], torchs[2], rtol=1e-6)


# --- The page -------------------------------------------------------------------------------------


def results(browser, page, seeds, pair=(0, 2)):
    """How many test images are right after the first epoch and at the end, computed in the page."""
    data = embedded(page)
    pixels = zlib.decompress(base64.b64decode(data["images"]))
    bank = data["bank"]
    banks = stored(bank["values"], "<i2").reshape(len(data["names"]), 2, -1) * bank["step"]
    starts = [banks[:, (seed - 1) % 2].tolist() for seed in seeds]
    given = {"images": [level / 255 for level in pixels], "starts": starts, "seeds": seeds}
    given["labels"] = stored(data["labels"], "u1").tolist()
    return browser.run(f"""(() => {{
      let onmessage;
      {data["worker"]}
      const given = {json.dumps(given)}, setting = {json.dumps(data["setting"])};
      const windows = windowsOf(given.images, setting.sizes.side, setting.sizes.k);
      return given.seeds.map((seed, i) => {{
        const banks = {list(pair)}.map(j => given.starts[i][j]);
        const advance = race({{...setting, windows, labels: given.labels}}, seed, banks);
        const early = advance(1000).right;
        for (;;) {{
          const {{step, last, right}} = advance(1000);
          if (step === last) return [early, right];
        }}
      }});
    }})()""")


def tally(found):
    """Rows of the table: after the first epoch, and at the end."""
    return [
        [sum(a > b for a, b in at), sum(a < b for a, b in at), sum(a == b for a, b in at)]
        for at in zip(*found, strict=True)
    ]


def ended(browser, text="epochs:"):
    browser.until(f"document.querySelector('.summary').textContent.includes({json.dumps(text)})")
    return browser.text(".summary")


def test_ten_races_are_counted(show):
    page = race_page()
    browser = show(page)
    assert browser.run(ROWS) == [[0, 0, 0], [0, 0, 0]]
    browser.click(".ten")
    text = ended(browser)
    found = results(browser, page, list(range(1, 11)))
    assert browser.run(ROWS) == tally(found) and browser.text("caption").endswith("in 10 races")
    assert len({str(one) for one in found}) > 5, "seeds differ"
    n_test = len(stored(embedded(page)["labels"], "u1")) - embedded(page)["setting"]["train"]
    assert text.startswith("Race 10, after 10 epochs: components ")
    shown = [float(share) for share in re.findall(r"([\d.]+) %", text)]
    assert shown == [round(100 * right / n_test, 1) for right in found[9][1]]


def test_equal_starts_are_level(show):
    browser = show(race_page())
    browser.press(".two", "ArrowUp", "ArrowUp")
    browser.click(".go")
    assert ended(browser).endswith("The two are level.")
    assert browser.run(ROWS) == [[0, 0, 1], [0, 0, 1]]
    one, two = (browser.run(f"document.querySelector('path.{role}').getAttribute('d')")
                for role in ("first", "second"))  # fmt: skip
    assert one == two and one.count("L") == 20


def test_again_breaks_off_and_leaves_one_worker(show):
    """What is broken off is not counted, and what comes after it is not disturbed by it."""
    page = race_page()
    browser = show(COUNT_WORKERS + page)
    # At once, while the worker is still being made, and amid a race.
    browser.run("['.go', '.again'].forEach(name => document.querySelector(name).click())")
    browser.until("document.querySelector('output').textContent.includes('epoch 2')")
    browser.click(".again")
    text = ended(browser)
    assert browser.run("document.querySelector('path.first').getAttribute('d')").count("L") == 20
    assert text.startswith("Race 3,") and browser.run("made.length") == 1
    found = results(browser, page, [3])
    assert browser.run(ROWS) == tally(found) and sum(browser.run(ROWS)[1]) == 1
    # Another pair has races of its own, and the first keeps its count.
    browser.press(".two", "ArrowUp")
    assert browser.run(ROWS) == [[0, 0, 0], [0, 0, 0]]
    browser.click(".go")
    assert ended(browser).startswith("Race 1,") and browser.run("made.length") == 1
    assert browser.run(ROWS) == tally(results(browser, page, [1], pair=(0, 1)))
    browser.press(".two", "ArrowDown")
    assert browser.run(ROWS) == tally(found)


def test_pause_and_go_on_by_keyboard(show):
    page = race_page()
    browser = show(page)
    browser.press(".go", " ")
    browser.until("document.querySelector('output').textContent.includes('epoch 1')")
    browser.press(".go", " ")
    assert "is paused" in browser.text(".summary") and browser.text(".go") == "Go on"
    at = browser.run("new Promise(done => setTimeout(() => done("
                     "document.querySelector('output').textContent), 400))")  # fmt: skip
    assert browser.text("output") == at
    browser.press(".go", " ")
    assert browser.text(".go") == "Pause"
    ended(browser)
    assert browser.run(ROWS) == tally(results(browser, page, [1])) and browser.text(".go") == "Go"


def test_with_reduced_motion_nothing_moves_before_the_end(show):
    browser = show(race_page())
    calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.call("Emulation.setEmulatedMedia", features=calm)
    browser.run("""window.drawn = 0; new MutationObserver(() => drawn++)
      .observe(document.querySelector('.curves'), {childList: true}) && 0""")
    browser.click(".go")
    ended(browser)
    assert browser.run("drawn") == 2  # empty at the start, whole at the end


def test_a_browser_without_workers(show):
    browser = show(f"<script>Worker = undefined</script>{race_page()}")
    browser.click(".go")
    assert "no race" in ended(browser, "no race") and browser.text(".go") == "Go"


def test_filters_turn_and_are_drawn(show):
    browser = show(race_page())
    pixels = "[...document.querySelectorAll('.bank canvas')].map(c => c.toDataURL())"
    before = browser.run(pixels)
    browser.click(".go")
    ended(browser)
    after = browser.run(pixels)
    assert len(before) == len(after) == 18 and not set(before) & set(after)
    distance = browser.run("[...document.querySelectorAll('.lane span')].map(e => e.textContent)")
    assert all(float(text.split()[-1]) > 0 for text in distance)


# --- The fragment ---------------------------------------------------------------------------------


def test_what_is_embedded():
    page, banks = race_page(), race_banks()
    data = embedded(page)
    values = stored(data["bank"]["values"], "<i2").reshape(data["bank"]["shape"])
    wanted = torch.cat(list(banks.values()))
    np.testing.assert_allclose(values * data["bank"]["step"], wanted, atol=1e-4)
    assert data["names"] == list(banks)
    still = BeautifulSoup(page, "html.parser").find("noscript")
    assert still.get_text().endswith("from the top: components, k-means, Glorot.")
    png = still.find("img", alt=True)["src"].split(",", 1)[1]
    assert Image.open(io.BytesIO(base64.b64decode(png))).size == (9 * 4, 3 * 4)


IMAGES, LABELS = torch.rand(9, 1, 8, 8), torch.zeros(9, dtype=torch.long)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"banks": {"a": torch.ones(2, 4, 1, 3, 3)}}, "two or more of one shape"),
        ({"banks": {n: torch.ones(2, 4, 1, 3, 2) for n in "ab"}}, "two or more of one shape"),
        ({"banks": {n: torch.ones(2, n, 1, 3, 3) for n in (1, 2)}}, r"\(2, 1, 1, 3, 3\)"),
        ({"images": torch.rand(9, 3, 8, 8)}, r"\(9, 3, 8, 8\)"),
        ({"images": torch.rand(9, 1, 4, 4)}, "s >= 5"),
        ({"n_train": 9}, "n_train=9 of 9 images"),
        ({"labels": LABELS[:8]}, "8 labels"),
    ],
)
def test_refused(change, message):
    given = {"images": IMAGES, "labels": LABELS, "banks": race_banks(), "n_train": 6}
    with pytest.raises(ValueError, match=message):
        race_html(**given | change)
