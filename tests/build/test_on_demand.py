"""An interactive figure that is loaded when a reader asks for it, in a real browser."""

import json

import nbformat
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from companion.intervals import mean_interval
from companion.pages.widgets.starts import Start, starts_html
from tests.sphinx_builds import sphinx_build


def build(folder, html, cell="starts"):
    """A book of a chapter with one output, and a page in a folder that asks for it."""
    cells = [new_markdown_cell("# A chapter"), new_code_cell("figure", id="starts")]
    if html:
        cells[1].outputs = [new_output("display_data", {"text/html": html})]
    (folder / "notebooks").mkdir(exist_ok=True)
    metadata = {"language_info": {"name": "python", "pygments_lexer": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), folder / "notebooks/01-x.ipynb")
    (folder / "conf.py").write_text(
        "extensions = ['myst_nb', 'companion.pages.extension.on_demand']\n"
        "nb_execution_mode = 'off'\nhtml_theme = 'basic'\n"
    )
    (folder / "index.md").write_text("# Book\n\n```{toctree}\nbook/page\nnotebooks/01-x\n```\n")
    (folder / "book").mkdir(exist_ok=True)
    directive = f"```{{on-demand}} 01-x {cell}\nChoose a start <em>\n```\n"
    (folder / "book/page.md").write_text(f"# Page\n\n{directive}")
    return sphinx_build(folder, "-n", out="out")


def test_it_is_loaded_when_it_is_asked_for(tmp_path, generator, browser):
    filters = torch.randn(3, 9, 1, 3, 3, generator=generator)
    starts = [
        Start("one", (0, 2, 5), filters, mean_interval([1, 2, 3, 4])),
        Start("two", (0,), filters[:1]),
    ]
    page = starts_html(starts, place="here")
    done = build(tmp_path, page)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out/book/page.html").read_text()
    assert len(text) < len(page), "the page itself stays light"
    assert "Choose a start &lt;em&gt;" in text
    browser.errors.clear()
    browser.call("Page.navigate", url=(tmp_path / "out/book/page.html").as_uri())
    browser.until("document.querySelector('.on-demand button')?.hidden === false")
    assert not browser.run("document.querySelectorAll('.book-widget').length")
    browser.click(".on-demand button")
    browser.until("!!document.querySelector('.drag-starts .app:not([hidden])')")
    assert browser.run("document.activeElement.textContent") == "one"
    assert "+2.50 points" in browser.text(".summary")
    assert browser.errors == []


def test_before_the_chapter_is_executed_there_is_a_line(tmp_path):
    assert build(tmp_path, None).returncode == 0
    assert "puts an interactive figure here" in (tmp_path / "out/book/page.html").read_text()


def test_an_unknown_cell_stops_the_build(tmp_path):
    done = build(tmp_path, "<p>x</p>", cell="other")
    assert done.returncode and "no chapter '01-x' with a cell 'other'" in done.stderr


def test_any_html_arrives_as_it_was(tmp_path):
    html = "<p>\u2028 '\"\\ </script> \u2212</p>"
    assert build(tmp_path, html).returncode == 0
    script = (tmp_path / "out/_static/on-demand/starts.js").read_text("utf-8")
    assert json.loads(script[script.index("(") + 1 : script.rindex(")")]) == html
