"""What all interactive figures keep: to themselves, to their size, and to readers of every kind."""

import json

import pytest
import torch
from bs4 import BeautifulSoup

from companion.pages.explorer import explorer_html
from companion.pages.widgets.lloyd import lloyd_html
from companion.pages.widgets.morph import morph_html
from companion.pages.widgets.race import race_html
from companion.pages.widgets.rebuilt import rebuilt_html
from companion.pages.widgets.sample_size import sample_size_html
from companion.pages.widgets.starts import Start, starts_html
from companion.pages.widgets.three_seeds import three_seeds_html
from companion.pages.widgets.turn import turn_html
from companion.pages.widgets.window import window_html
from companion.pages.widgets.your_image import your_image_html
from tests.fragments import banks, embedded, explorer_bank, race_banks, race_page
from tools import page_gates

STILL = """See <above> & "beyond"."""
HOSTILE = """</script></noscript><img src=x onerror="alert(1)">'"&<!--"""
EDGE = torch.tensor([-1.0, 0, 1]).expand(3, 3, 3)


def hostile_banks():
    one, two, _ = race_banks().values()
    return {HOSTILE: one, "b": two}


@pytest.fixture
def fragments(generator):
    """Each figure, of the size that the chapters give it."""
    reference, *others = banks(29, generator)
    samples = {n: others[4 * i : 4 * i + 4] for i, n in enumerate((1, 2, 5, 10, 30, 100, 300))}
    image = torch.randint(256, (3, 32, 32), dtype=torch.uint8, generator=generator)
    points = torch.randn(2500, 2, generator=generator)
    runs = [explorer_bank(14, 27, last=15, norm=str(n)) for n in range(40)]
    return {
        "window": window_html(image, {"edge": EDGE, "mean": EDGE**2}, start=(3, 4), still=STILL),
        "sample size": sample_size_html(reference, samples, leading=7, still=STILL),
        "lloyd": lloyd_html(points, points[:5], still=STILL),
        "turn": turn_html({"Glorot (0.45)": 0.45, "components (1)": 1.0}),
        "your image": your_image_html(reference),
        "race": race_page(),
        "three seeds": three_seeds_html({"components": torch.randn(6, generator=generator)}),
        "rebuilt": rebuilt_html(
            image, {name: reference for name in "abc"}, torch.rand(99, 27), still=STILL
        ),
        "morph": morph_html(reference, *torch.randn(2, 99, 27, generator=generator), still=STILL),
        "starts": starts_html(
            [Start(str(n), tuple(range(6)), torch.stack(others[:6])) for n in range(6)], place=""
        ),
        "explorer": explorer_html(runs, still_alt=STILL),
    }


def test_sizes(fragments):
    """A page of pictures has some 900 kB without one."""
    sizes = {name: len(page.encode()) for name, page in fragments.items()}
    assert sizes.pop("explorer") < 700_000
    assert max(sizes.values()) < 60_000, sizes


def test_page_gates_of_two_of_each_on_a_page(fragments, tmp_path):
    cells = [f'<div class="cell_output text_html">{page}</div>' for page in fragments.values()]
    page = f"<html><body><article>{''.join(2 * cells)}</article></body></html>"
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    assert page_gates.problems(tmp_path) == []


@pytest.mark.parametrize(
    "page",
    [
        window_html(torch.ones(3, 8, 8), {HOSTILE: EDGE}, start=(0, 0), still=HOSTILE),
        turn_html({HOSTILE: 1.0}),
        your_image_html(None, name=HOSTILE),
        three_seeds_html({HOSTILE: [1, 2, 3, 4]}),
        rebuilt_html(
            torch.rand(1, 8, 8),
            {HOSTILE: torch.eye(9).reshape(9, 1, 3, 3)},
            torch.rand(20, 9),
            still=HOSTILE,
        ),
        starts_html([Start(HOSTILE, (0,), torch.ones(1, 9, 1, 3, 3))], place=HOSTILE),
        race_html(torch.rand(9, 1, 8, 8), torch.arange(9), hostile_banks(), n_train=6),
        explorer_html(
            [explorer_bank(dataset=HOSTILE, method=HOSTILE, norm=HOSTILE)], still_alt=HOSTILE
        ),
    ],
    ids=["window", "turn", "your image", "three seeds", "rebuilt", "starts", "race", "explorer"],
)
def test_hostile_names(page):
    soup = BeautifulSoup(page, "html.parser")
    assert not soup.find(onerror=True) and len(soup.find_all("script")) == 2
    assert page.count("<script") == page.count("</script") == 2 and "<!--" not in page
    assert json.dumps(HOSTILE) in json.dumps(embedded(page))


def test_without_scripts_a_still_and_nothing_else(fragments):
    for name, page in fragments.items():
        root = BeautifulSoup(page, "html.parser").find(class_="book-widget")
        still, app, *rest = [tag for tag in root.find_all(recursive=False) if tag.name != "style"]
        assert still.name == "noscript" and app.has_attr("hidden"), name
        assert {tag.name for tag in rest} == {"script"}
        own = name in ("turn", "your image", "race", "three seeds", "starts", "explorer")
        assert still.get_text().strip() if own else still.get_text() == STILL


def test_every_control_is_named(fragments):
    for page in fragments.values():
        app = BeautifulSoup(page, "html.parser").find(class_="app")
        assert app["aria-label"]
        for control in [*app.find_all(["select", "input"]), *app.find_all(tabindex=True)]:
            assert control.find_parent("label") or control["aria-label"]
