"""A page as our extension makes it, in a real browser: predictions, bars, search, figures."""

import base64
import io
import json
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from tests.sphinx_builds import sphinx_build

STATIC = Path(__file__).parents[2] / "book/_static"
CONF = f"""\
extensions = ["myst_nb", "sphinx_togglebutton", "sphinx_book_theme",
    *(f"companion.pages.extension.{{name}}" for name in (
        "expect", "code_bars", "search", "wrapped_figures"))]
html_theme = "sphinx_book_theme"
html_static_path = [{str(STATIC)!r}]
html_css_files, html_js_files = ["book.css"], ["boxes.js", "expect.js", "search.js"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
nb_execution_mode = "off"
numfig = True
"""
BOXES = """\
# A chapter

The okapi is prose.

:::{expect} Does it turn?
:book: 2
:came: 1
- *Yes*, twice.
- No.

The second. It rests.
:::

:::{expect} Does it end?
:book: 1
- Yes.
- No.
- Hardly.

The first.
:::

:::{expect} Is it late?
:book: 1
- Yes.
- No.

The first.
:::

:::{admonition} Solution of the riddle
:class: dropdown
It is.
:::
"""
PAPERMILL = "application/papermill.record/text/plain"


def kept(name, value):
    metadata = {"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}}
    return new_output("display_data", {PAPERMILL: repr(value)}, metadata=metadata)


def picture(inches):
    content = io.BytesIO()
    size = (round(216 * inches), 400)
    Image.new("RGB", size, "white").save(content, "PNG", dpi=(216, 216))
    data = base64.b64encode(content.getvalue()).decode()
    return new_output("display_data", {"image/png": data, "text/plain": "<Figure>"})


def drawing(inches):
    wide = f'width="{72 * inches}pt" height="144pt" viewBox="0 0 {72 * inches} 144"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {wide} version="1.1"><path d="M0 0 9 9"/></svg>'
    return new_output("display_data", {"image/svg+xml": svg, "text/plain": "<Figure>"})


def named(name):
    figure = {"caption": "A wallaby hops.", "name": f"fig-{name}"}
    return {"figure": figure, "image": {"alt": "Hop."}}


def write(folder):
    hidden, bare = {"tags": ["hide-input"]}, {"tags": ["remove-input"]}
    figure = named("hop")
    outcomes = {"1": "wrong", "2": "right", "3": "open"}
    cells = [
        new_markdown_cell(BOXES),
        new_code_cell("import zebra", metadata=hidden),
        new_code_cell("zebra.draw()", metadata=hidden | {"mystnb": figure}, outputs=[picture(7.3)]),
        new_code_cell(
            "1 + 1", metadata=hidden, outputs=[new_output("stream", name="stdout", text="quokka\n")]
        ),
        new_code_cell(
            "glue()", metadata={"tags": ["remove-cell"]},
            outputs=[kept(f"prediction_{n}_is", word) for n, word in outcomes.items()],
        ),
        new_code_cell(
            "gnu", metadata=hidden | {"mystnb": {"code_prompt_show": "A title of its own"}}
        ),
        *(
            new_code_cell("gnu", metadata=bare | {"mystnb": another}, outputs=[output])
            for another, output in (
                (named("a"), picture(5)), (named("b"), drawing(5)), (named("c"), drawing(7.3)),
                (named("d"), drawing(3.7)),
            )
        ),
        new_markdown_cell("## What this chapter found\n\n- Much.\n\n## Exercises\n\n1. None."),
    ]  # fmt: skip
    (folder / "conf.py").write_text(CONF)
    (folder / "index.md").write_text("# Tiny\n\n```{toctree}\nnotebooks/01-tiny\n```\n")
    (folder / "notebooks").mkdir()
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    notebook = new_notebook(cells=cells, metadata=language)
    nbformat.write(notebook, folder / "notebooks/01-tiny.ipynb")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    write(folder)
    built = sphinx_build(folder)
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def page(site):
    text = (site / "notebooks/01-tiny.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def opened(browser, address, width=1300):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.call("Page.navigate", url=address)
    browser.until(f"location.href === {address!r} && document.readyState === 'complete'")


@pytest.fixture
def chapter(browser, site):
    """The chapter, opened from the disk, by a reader who has answered nothing."""
    address = (site / "notebooks/01-tiny.html").as_uri()
    opened(browser, address)
    browser.run("localStorage.clear()")
    opened(browser, "about:blank")
    opened(browser, address)
    return browser


def test_without_scripts_a_box_is_a_list_and_a_fold(page):
    box = page.select(".expect")[0]
    assert page.find(id=box["aria-labelledby"]).get_text().endswith("Does it turn?")
    assert [li.get_text() for li in box.select("ul.options > li")] == ["Yes, twice.", "No."]
    assert box.details.summary.get_text() == "The book’s prediction"
    assert "It rests." in box.details.get_text()
    assert [box.select_one(".outcome").get_text() for box in page.select(".expect")] == [
        "It did not come out. What was found comes nearest to: Yes, twice.",
        "It came out.",
        "It cannot be judged yet.",
    ]
    assert page.select_one(".expect-score").has_attr("hidden")


def test_a_reader_answers_and_is_counted(chapter):
    score = "document.querySelector('.expect-score')"
    assert chapter.run(f"{score}.hidden")
    assert not chapter.run("document.querySelector('.expect details').open")
    chapter.click(".expect li:nth-child(2) .option")
    assert chapter.text(".expect li:nth-child(2)").endswith("yours, the book’s")
    assert chapter.text(".expect li:nth-child(1)").endswith("came out")
    assert chapter.text(".expect .judged") == "Neither you nor the book was right."
    assert chapter.run("document.querySelector('.expect details').open")
    chapter.click(".expect li:nth-child(1) .option")  # the first answer counts
    pressed = "[...document.querySelectorAll('[aria-pressed=true]')].map(b => b.textContent)"
    assert [text[:3] for text in chapter.run(pressed)] == ["No."]
    second = ".expect[data-key$='end?'] li:nth-child(1) .option"
    chapter.run(f'document.querySelector("{second}").focus()')
    for kind in ("rawKeyDown", "keyUp"):  # as a keyboard does it
        key = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32}
        chapter.call("Input.dispatchKeyEvent", type=kind, **key)
    chapter.until(f"{score}.textContent.includes('of 2')")
    wanted = "What came out: you 1 of 2, the book 1 of 2 (1 not answered). Forget my answers"
    assert chapter.text(".expect-score") == wanted
    assert chapter.run(f"{score}.previousElementSibling.textContent").strip() == "Much."


def test_answers_are_kept_until_they_are_forgotten(chapter, site):
    for n in (1, 2, 3):
        chapter.run(
            f"document.querySelectorAll('.expect')[{n - 1}].querySelector('button').click()"
        )
    assert chapter.text(".expect-score").startswith("What came out: you 2 of 2, the book 1 of 2. ")
    opened(chapter, "about:blank")
    opened(chapter, (site / "notebooks/01-tiny.html").as_uri())
    assert chapter.run("document.querySelectorAll('.expect.answered').length") == 3
    chapter.click(".forget")
    assert chapter.run("document.querySelectorAll('.expect.answered').length") == 0
    assert chapter.run("document.querySelector('.expect-score').hidden")
    assert chapter.run("localStorage['filters-from-patches.expected']") == "{}"


def test_a_box_works_where_nothing_can_be_kept(chapter):
    chapter.run("Storage.prototype.setItem = () => { throw new Error('full'); }")
    chapter.run("Storage.prototype.getItem = () => { throw new Error('shut'); }")
    chapter.click(".expect li:nth-child(1) .option")
    assert chapter.text(".expect .judged") == "You were right, the book was not."


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (":book: 2", ":book: 3", "book of 'Does it turn?' is 3: there are 2 options"),
        (":book: 2\n", "", "book of 'Does it turn?' is None"),
        (":came: 1", ":came: 4", "came of 'Does it turn?' is 4"),
        ("\nThe second. It rests.\n", "", "needs two options or more, as a list, and an answer"),
    ],
)
def test_a_box_that_does_not_fit_fails_the_build(tmp_path, old, new, problem):
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text(BOXES.replace(old, new, 1))
    built = sphinx_build(tmp_path)
    assert built.returncode != 0 and problem in built.stderr


def test_bars_say_what_they_fold(page, chapter):
    bars = page.select("details.hide > summary")
    assert [bar.get_text() for bar in bars] == [
        "Set-up", "Code of Fig. 1", "Code of what follows", "A title of its own",
    ]  # fmt: skip
    assert not any(bar.has_attr("aria-label") for bar in bars)
    name = "document.querySelector('.toggle-button').getAttribute('aria-label')"
    chapter.until(f"{name} === 'Solution of the riddle'")


@pytest.mark.parametrize("width", [1300, 390])
def test_a_caption_neither_scrolls_nor_fades(browser, site, width):
    opened(browser, (site / "notebooks/01-tiny.html").as_uri(), width)
    found = """(() => {
      const figure = document.querySelector("figure"), box = figure.querySelector(".picture");
      return [figure.scrollWidth > figure.clientWidth + 1, box.scrollWidth > box.clientWidth + 1,
        getComputedStyle(box).maskImage !== "none", "more" in figure.dataset];
    })()"""
    scrolls = width == 390
    if scrolls:
        browser.until("document.querySelector('.picture').dataset.more === 'right'")
    assert browser.run(found) == [False, scrolls, scrolls, False]


@pytest.mark.parametrize("width", [1300, 390, 240])
def test_letters_have_one_size_and_no_figure_is_squeezed(browser, site, width):
    """A picture takes the share of the full width that its inches are, in either format.

    On a phone one of half the width fits the screen, and so does not scroll.
    """
    opened(browser, (site / "notebooks/01-tiny.html").as_uri(), width)
    browser.run("Promise.all([...document.images].map(image => image.decode())).then(() => 0)")
    shown = browser.run("""[...document.querySelectorAll("figure img")].map(image => {
      const box = image.getBoundingClientRect();
      return [box.width, box.width / box.height / (image.naturalWidth / image.naturalHeight)];
    })""")
    assert len(shown) == 5 and all(abs(shape - 1) < 0.01 for _, shape in shown)
    full, *some, narrow = [width for width, _ in shown]
    assert full == 730 if width < 600 else 600 < full < width
    assert some == pytest.approx([0.68 * full, 0.68 * full, full], abs=1)  # 5 inches of 7.3
    assert narrow == pytest.approx({1300: 0.51 * full, 390: 350, 240: 340}[width], abs=10)
    box = "document.querySelector('#fig-d .picture')"
    assert browser.run(f"{box}.scrollWidth > {box}.clientWidth + 1") == (width == 240)
    assert browser.run("document.querySelectorAll('figure .picture a').length") == 0


def test_the_search_finds_prose_and_captions_and_no_code(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    found = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    terms = found["terms"].keys() | found["titleterms"].keys()
    assert {"okapi", "wallabi", "rest", "riddl"} <= terms
    assert not {"zebra", "quokka", "gnu"} & terms


def test_the_text_under_a_hit_has_no_code(browser, site):
    opened(browser, (site / "search.html").as_uri())
    page = (site / "notebooks/01-tiny.html").read_text(encoding="utf-8")
    text = browser.run(f"Search.htmlToText({json.dumps(page)})")
    assert "okapi" in text and "wallaby" in text
    assert not [one for one in ("zebra", "quokka", "gnu", "Code of", "Set-up") if one in text]
