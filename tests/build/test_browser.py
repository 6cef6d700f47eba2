"""Pages in a browser: a good one passes, and each fault is found where it can be seen."""

import subprocess

import pytest

from tools import browser_gates
from tools.browser import Browser, BrowserError, executable

GOOD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page</title>
<style>
body {{ background: #fff; color: #222; }}
a {{ color: #0645ad; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #121212; color: #eee; }} a {{ color: #8bf; }} }}
</style>
</head>
<body><main><h1>A page</h1><p>Some text.</p>{}</main></body>
</html>
"""  # noqa: E501
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="

pytestmark = pytest.mark.skipif(executable() is None, reason="no browser is there")


@pytest.fixture(scope="module")
def page():
    with Browser() as browser:
        yield browser.page()


@pytest.fixture
def site(tmp_path):
    def write(**additions):
        for name, addition in additions.items():
            (tmp_path / f"{name}.html").write_text(GOOD.format(addition))
        return tmp_path

    return write


@pytest.fixture
def look(page, site):
    """What is found on a page with an addition."""

    def find(addition):
        address = (site(page=addition) / "page.html").as_uri()
        return browser_gates.look(page, address, browser_gates.script())

    return find


WIDE_BOX = '<div style="overflow-x: auto" tabindex="0"><div style="width: 2000px">Wide.</div></div>'


def at_both(problem):
    return [f"{width} px wide{problem}" for width in (1300, 390)]


@pytest.mark.parametrize(
    ("addition", "starts"),
    [
        ("", []),
        (f'<img alt="A dot." src="{DOT}">', []),
        (WIDE_BOX, []),
        # Whoever tabs to the link scrolls the box.
        (WIDE_BOX.replace(' tabindex="0"', "").replace("Wide.", '<a href="#">To it</a>'), []),
        (f'<img src="{DOT}">', at_both(": image-alt")),
        ('<p style="color: #999">Pale by day.</p>', at_both(", light: color-contrast")),
        ('<p style="color: #555">Pale at night.</p>', at_both(", dark: color-contrast")),
        ('<p id="long" style="width: 2000px">A</p>', at_both(": scrolls sideways for p#long")),
        ('<p style="width: 600px">A</p>', ["390 px wide: scrolls sideways for p"]),
        (
            "<style>@media (max-width: 500px) { p { color: #999; } }</style>",
            ["390 px wide, light: color-contrast"],
        ),
        (
            '<p><a href="#" style="text-decoration: none; color: #333">By day</a> no link.</p>',
            at_both(", dark: color-contrast") + at_both(", light: link-in-text-block"),
        ),
    ],
)
def test_faults(look, addition, starts):
    found = sorted(look(addition))
    assert len(found) == len(starts), found
    assert all(map(str.startswith, found, sorted(starts))), found


def test_every_fault_of_many_alike_words_is_found(look):
    """Only three of each kind are looked at: a kind of its own is not lost among a hundred."""
    words = '<pre style="white-space: pre-wrap">' + '<span class="k">for</span> ' * 100
    pale = '<span class="k" style="color: #999">in</span>'
    found = look(f'<div class="highlight">{words}{pale}</pre></div>')
    assert len(found) == 2 and all("color: #999" in problem for problem in found), found
    on_a_phone = "<style>@media (max-width: 500px) { .k { color: #999; } }</style>"
    (one,) = look(f'<div class="highlight">{on_a_phone}{words}</pre></div>')
    assert one.startswith("390 px wide, light: color-contrast"), one


def test_a_page_that_passed_is_looked_at_again_once_it_has_changed(site):
    passed = {}
    folder = site(good="", bad=f'<img src="{DOT}">')
    assert len(browser_gates.problems(folder, passed)) == 2 and set(passed) == {"good.html"}
    passed["bad.html"] = passed["good.html"]
    assert len(browser_gates.problems(folder, passed)) == 2, "not the same content"
    site(good=f'<img src="{DOT}">', bad="")
    assert all(one.startswith("good.html") for one in browser_gates.problems(folder, passed))
    assert set(passed) == {"bad.html"}
    (folder / "_static").mkdir()
    (folder / "_static" / "book.css").write_text("main p { color: #999; }")
    site(bad='<link rel="stylesheet" href="_static/book.css">')
    assert len(browser_gates.problems(folder, passed)) == 4


@pytest.mark.parametrize(("height", "starts"), [(180, []), (300, ["code takes 27% of the page"])])
def test_a_chapter_that_is_mostly_code(page, site, height, starts):
    """Of a page that is no chapter, nothing is asked."""
    code = f'<div class="cell_input" style="height: {height}px">Code.</div>'
    box = f'<article style="height: 1100px"><p>Prose.</p>{code}</article>'
    axe = browser_gates.script()
    folder = site(page=box)
    assert browser_gates.look(page, (folder / "page.html").as_uri(), axe) == []
    (folder / "notebooks").mkdir()
    chapter = (folder / "page.html").rename(folder / "notebooks/01-page.html")
    found = browser_gates.look(page, chapter.as_uri(), axe)
    assert len(found) == len(starts) and all(map(str.startswith, found, starts)), found


def test_a_page_that_leads_on_is_passed_over(site):
    folder = site()
    (folder / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=page.html">')
    passed = {}
    assert browser_gates.problems(folder, passed) == [] and passed == {}


def test_an_error_in_a_script_is_raised(page):
    with pytest.raises(BrowserError, match="ReferenceError: nothing is not defined"):
        page.run("nothing")
    with pytest.raises(BrowserError, match="ERR_FILE_NOT_FOUND"):
        page.open("file:///nowhere/page.html")
    assert page.run("Promise.resolve([1, 'two'])") == [1, "two"]


def test_no_page_reaches_another_host(page):
    """Not even one that is up: names are not looked up."""
    with pytest.raises(BrowserError, match="ERR_NAME_NOT_RESOLVED"):
        page.open("http://localhost:8000/")


def test_the_browser_is_gone_afterwards():
    with Browser() as browser:
        process, profile = browser._process, browser._profile
        assert "Chrom" in browser.page().run("navigator.userAgent")
    assert process.returncode is not None
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert profile not in listed.stdout
