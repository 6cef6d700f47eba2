"""Every gate passes the good fixture and fails on the one change that it is there for."""

import copy
import json
import shutil
from pathlib import Path

import pytest

from tools import gates, notebook_gates, page_gates

FIXTURES = Path(__file__).parent / "fixtures"
EXECUTED = json.loads((FIXTURES / "executed.ipynb").read_text())
PARAMETERS, PROGRESS, BETWEEN, FIGURE = 1, 2, 3, 4  # cells of the fixture
MYSTNB = EXECUTED["cells"][FIGURE]["metadata"]["mystnb"]
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": []}
STALE = {"output_type": "stream", "name": "stdout", "text": "stale"}
# What a cell shows where the backend is not the notebook's.
AS_TEXT = {"output_type": "display_data", "data": {"text/plain": "<Figure size 640x480>"}}
NOT_SEEN = {"cell_type": "code", "source": [], "outputs": [], "execution_count": None}
LONG = ["plot(n)\n"] * 13
FOUR = "{glue:text}`a:d`, {glue:text}`b:.1f` ± {glue:text}`c:.1f`, {glue:text}`d:.1%`, "


def stored(notebook):
    """The notebook as it is kept: without outputs."""
    bare = copy.deepcopy(notebook)
    for cell in bare["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return bare


def changed(notebook, cell, **changes):
    """The notebook with a cell that has something else."""
    other = copy.deepcopy(notebook)
    other["cells"][cell].update(changes)
    return other


@pytest.mark.parametrize("gate", notebook_gates.STORED)
def test_good_stored_notebook(gate):
    assert gate(stored(EXECUTED)) == []


@pytest.mark.parametrize("tag", ["hide-input", "remove-cell"])
def test_what_is_folded_may_be_long(tag):
    notebook = changed(stored(EXECUTED), FIGURE, source=LONG, metadata={"tags": [tag]})
    assert notebook_gates.long_code(notebook) == []


def test_what_is_not_shown_needs_no_sentence():
    notebook = stored(EXECUTED)
    del notebook["cells"][BETWEEN]
    assert notebook_gates.code_on_code(notebook)
    hidden = changed(notebook, PROGRESS, metadata={"tags": ["remove-cell"]})
    assert notebook_gates.code_on_code(hidden) == []


@pytest.mark.parametrize(
    "text",
    [
        "- {glue:text}`a:d`, {glue:text}`b:d`\n- {glue:text}`c:d`, {glue:text}`d:d`",
        "{glue:text}`a:d`, {glue:text}`b:d`\n\n{glue:text}`c:d`, {glue:text}`d:d`",
        "{glue:text}`a:d`, {glue:text}`b:.1f` ±\n{glue:text}`c:.1f` and {glue:text}`d:.1%`",
        "{glue:text}`a`, {glue:text}`b:s`, {glue:text}`c`, {glue:text}`d:s` are words",
    ],
)
def test_few_numbers_a_paragraph(text):
    notebook = changed(stored(EXECUTED), BETWEEN, source=[text])
    assert notebook_gates.many_numbers(notebook) == []


@pytest.mark.parametrize("gate", notebook_gates.EXECUTED)
def test_good_executed_notebook(gate):
    assert gate(EXECUTED) == []


@pytest.mark.parametrize(
    ("gate", "cell", "change", "problem"),
    [
        ("parameters_cell", PARAMETERS, {"metadata": {}}, "0 code cells tagged"),
        ("parameters_cell", PROGRESS, {"metadata": {"tags": ["parameters"]}}, "2 code cells"),
        ("stored_outputs", PARAMETERS, {"outputs": [STALE]}, "cell 2 is stored with outputs"),
        ("stored_outputs", PARAMETERS, {"execution_count": 7}, "with an execution count"),
        ("long_code", FIGURE, {"source": LONG}, "cell 5 shows 13 lines of code, at most 12"),
        ("long_code", FIGURE, {"source": ["n" * 77]}, "cell 5 shows a line of 77 characters"),
        (
            "code_on_code", BETWEEN, NOT_SEEN | {"metadata": {"tags": ["remove-cell"]}},
            "cells 3 and 5 show code with no sentence",
        ),
        ("many_numbers", BETWEEN, {"source": [FOUR, "{glue:text}`e:,d`"]}, "of 4 numbers"),
        ("numbered_chapters", BETWEEN, {"source": ["As chapter\n3 has"]}, "'chapter\\n3': link it"),
    ],
)  # fmt: skip
def test_bad_stored_notebook(gate, cell, change, problem):
    notebook = changed(stored(EXECUTED), cell, **change)
    (found,) = getattr(notebook_gates, gate)(notebook)
    assert problem in found


@pytest.mark.parametrize("metadata", [{"kernelspec": {"name": "conda-env-vision-py"}}, {}])
def test_notebook_of_another_kernel(metadata):
    (found,) = notebook_gates.other_kernel(EXECUTED | {"metadata": metadata})
    assert "choose python3" in found


@pytest.mark.parametrize(
    ("gate", "cell", "change", "problem"),
    [
        ("error_outputs", FIGURE, {"outputs": [ERROR]}, "cell 5 raised ValueError: bad"),
        ("not_executed", FIGURE, {"execution_count": None}, "cell 5 was not executed"),
        ("shown_stderr", PROGRESS, {"metadata": {}}, "cell 3 shows stderr"),
        (
            "undescribed_figures", FIGURE, {"metadata": {"mystnb": MYSTNB | {"image": {}}}},
            "without mystnb.image.alt",
        ),
        (
            "undescribed_figures", FIGURE,
            {"metadata": {"mystnb": MYSTNB | {"figure": {"caption": " "}}}},
            "without mystnb.figure.caption",
        ),
        ("lost_figures", FIGURE, {"outputs": []}, "cell 5 has a caption and shows no picture"),
        ("lost_figures", FIGURE, {"outputs": [AS_TEXT]}, "another backend of matplotlib's"),
    ],
)  # fmt: skip
def test_bad_executed_notebook(gate, cell, change, problem):
    (found,) = getattr(notebook_gates, gate)(changed(EXECUTED, cell, **change))
    assert problem in found


@pytest.fixture
def site(tmp_path):
    shutil.copytree(FIXTURES / "site", tmp_path / "site")
    return tmp_path / "site"


@pytest.mark.parametrize("gate", page_gates.SITE)
def test_good_site(gate, site):
    assert list(gate(site)) == []


ELSEWHERE = "//cdn.example.org/x"


@pytest.mark.parametrize(
    "addition",
    [
        f'<script src="https:{ELSEWHERE}.js"></script>',
        f'<script src="{ELSEWHERE}.js"></script>',
        f'<script>load("https:{ELSEWHERE}.js")</script>',
        f'<link rel="preload stylesheet" href="https:{ELSEWHERE}.css">',
        f'<img alt="A dot." src="https:{ELSEWHERE}.png">',
        f'<img alt="A dot." src="../_images/dot.png" srcset="https:{ELSEWHERE}.png 2x">',
        f'<iframe src="https:{ELSEWHERE}.html"></iframe>',
        f"<style>@import 'https:{ELSEWHERE}.css';</style>",
        f'<p style="background: url(https:{ELSEWHERE}.png)">text</p>',
    ],
)
def test_page_that_loads_from_elsewhere(site, addition):
    page = site / "book" / "index.html"
    page.write_text(page.read_text().replace("</article>", addition + "</article>"))
    (problem,) = page_gates.loads_from_elsewhere(site)
    assert problem.startswith("book/index.html: loads ") and "cdn.example.org" in problem


@pytest.mark.parametrize("rule", ["@import '{}.css';", '@font-face {{ src: url("{}.woff2"); }}'])
def test_style_sheet_that_loads_from_elsewhere(site, rule):
    (site / "_static" / "book.css").write_text(rule.format(f"https:{ELSEWHERE}"))
    (problem,) = page_gates.loads_from_elsewhere(site)
    assert problem.startswith("_static/book.css: loads https://cdn.example.org/x")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("chapter.html#fig-dot", "chapters.html", "leads nowhere"),
        ("chapter.html#fig-dot", "chapter.html#fig-dots", "no such anchor"),
        ('"#title"', '"#titles"', "no such anchor"),
    ],
)
def test_dead_link(site, old, new, says):
    page = site / "book" / "index.html"
    page.write_text(page.read_text().replace(old, new))
    (problem,) = page_gates.dead_links(site)
    assert says in problem


def test_redirect_that_leads_nowhere(site):
    (site / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=book/start.html">')
    assert "index.html: book/start.html leads nowhere" in page_gates.dead_links(site)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('alt="A dot."', 'alt=""', "no alt text"),
        ('alt="A dot."', "", "no alt text"),
        ('alt="A dot."', 'alt="../_images/dot.png"', "no alt text"),  # docutils' own
        ("<p>A dot. Computed in this build.</p>", "", "no caption"),
        ("figcaption", "div", "no caption"),
    ],
)
def test_undescribed_picture(site, old, new, says):
    page = site / "book" / "chapter.html"
    page.write_text(page.read_text().replace(old, new))
    (problem,) = page_gates.undescribed_pictures(site)
    assert says in problem


def test_picture_that_is_not_there(site):
    (picture,) = (site / "_images").iterdir()
    picture.unlink()
    assert list(page_gates.missing_pictures(site)) == [
        f"book/chapter.html: the picture ../_images/{picture.name} is not there"
    ]


def test_page_of_stand_ins(site, monkeypatch):
    """Refused only where the real data are asked for: on main, whose pages are published."""
    page = site / "book" / "chapter.html"
    note = '<div class="admonition warning stand-in">not CIFAR-10</div>'
    page.write_text(page.read_text().replace("</article>", f"{note}</article>"))
    monkeypatch.delenv("PATCHINIT_REQUIRE_DATA", raising=False)
    assert list(page_gates.stand_ins(site)) == []
    monkeypatch.setenv("PATCHINIT_REQUIRE_DATA", "1")
    assert list(page_gates.stand_ins(site)) == ["book/chapter.html: made from stand-in data"]


def test_what_is_known_of_a_page_hides_no_fault(site, monkeypatch):
    """A page is parsed once; what it links to, and whoever links to it, is asked each time."""
    monkeypatch.setattr(page_gates, "KNOWN", {})
    assert page_gates.problems(site) == []
    known = set(page_gates.KNOWN)
    chapter, picture = site / "book" / "chapter.html", site / "_images" / "dot.png"
    text = chapter.read_text()
    chapter.write_text(text.replace('id="fig-dot"', 'id="fig-dots"'))
    assert page_gates.problems(site) == ["book/index.html: chapter.html#fig-dot has no such anchor"]
    assert len(set(page_gates.KNOWN) - known) == 1, "the changed page alone"
    chapter.unlink()
    assert page_gates.problems(site) == ["book/index.html: chapter.html#fig-dot leads nowhere"]
    chapter.write_text(text)
    picture.rename(site / "_images" / "other.png")
    (problem,) = page_gates.problems(site)
    assert problem == "book/chapter.html: the picture ../_images/dot.png is not there"


def test_a_changed_gate_looks_at_all_pages_again(site, monkeypatch):
    """What was found by other code is not taken over, even where it would hide nothing."""
    monkeypatch.setattr(page_gates, "KNOWN", {})
    page_gates.problems(site)
    lenient = {mark: of_page | {"links": []} for mark, of_page in page_gates.KNOWN.items()}
    monkeypatch.setattr(page_gates, "KNOWN", lenient)
    (site / "book" / "chapter.html").unlink()
    assert page_gates.problems(site) == []
    monkeypatch.setattr(page_gates, "LOOKER", page_gates.LOOKER + b"\n")
    assert page_gates.problems(site) == ["book/index.html: chapter.html#fig-dot leads nowhere"]


@pytest.fixture
def book(tmp_path, site):
    """A whole built book of one page and one chapter."""
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts:\n- chapters:\n  - file: notebooks/chapter\n"
    )
    kinds = {"notebooks": stored(EXECUTED), "_build/executed/notebooks": EXECUTED}
    for folder, notebook in kinds.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "chapter.ipynb").write_text(json.dumps(notebook))
    shutil.copytree(site, tmp_path / gates.SITE)
    (tmp_path / gates.SITE / "notebooks").mkdir()
    chapter = tmp_path / gates.SITE / "notebooks" / "chapter.html"
    chapter.write_text("<article>A chapter</article>")
    return tmp_path


def test_good_book(book):
    assert gates.problems(book) == []


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        ("notebooks/chapter.ipynb", "listed in _toc.yml, is not there"),
        ("_build/executed/notebooks/chapter.ipynb", "chapter.ipynb: missing"),
    ],
)
def test_book_with_a_part_missing(book, lost, says):
    (book / lost).unlink()
    assert any(says in problem for problem in gates.problems(book))


def test_chapter_outside_the_contents(book):
    shutil.copy(book / "notebooks/chapter.ipynb", book / "notebooks/stray.ipynb")
    (problem,) = gates.problems(book)
    assert "stray.ipynb: not listed" in problem


def test_facts_are_kept_from_build_to_build_and_made_anew_if_asked(book, monkeypatch):
    monkeypatch.chdir(book)
    monkeypatch.setattr("tools.browser_gates.run", lambda site, anew: None)

    def run(*arguments):
        monkeypatch.setattr(page_gates, "KNOWN", {})
        monkeypatch.setattr("sys.argv", ["gates", *arguments])
        gates.main()

    run()
    kept = json.loads(gates.FACTS.read_text())
    index = page_gates.mark(gates.SITE / "book/index.html")
    kept[index]["links"].append("lost.html")
    gates.FACTS.write_text(json.dumps(kept))
    with pytest.raises(SystemExit, match="lost.html leads nowhere"):
        run()
    run("anew")
    assert json.loads(gates.FACTS.read_text())[index]["links"] == kept[index]["links"][:-1]
