"""The paper's figures and ours: small pictures that lead to the figures of the chapters."""

import io
import json
import re
from base64 import b64encode
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from companion.pages.extension import dark_charts, kept_values, thumbnails
from companion.pages.pictures import filter_grid, show_image
from companion.pages.style import use_style
from tests.sphinx_builds import sphinx_build

ROOT = Path(__file__).parents[2]
EXECUTED = ROOT / "tests/build/fixtures/executed.ipynb"


@pytest.mark.parametrize(("size", "small"), [((1360, 500), (680, 250)), ((300, 200), (300, 200))])
def test_a_picture_is_made_small_and_never_larger(size, small):
    content = io.BytesIO()
    Image.new("RGBA", size, "orange").save(content, "PNG")
    image = Image.open(io.BytesIO(thumbnails.smaller(content.getvalue())))
    assert image.size == small and image.convert("RGB").getpixel((9, 9)) == (255, 165, 0)


def build(folder, label, notebook, more="", builder="html"):
    """The page that a book with one chapter makes of a thumbnail, and what Sphinx prints."""
    (folder / "notebooks").mkdir(exist_ok=True)
    (folder / "notebooks/01-dot.ipynb").write_text(json.dumps(notebook))
    (folder / "conf.py").write_text(
        "extensions = ['myst_nb', *(f'companion.pages.extension.{name}' for name in "
        "('thumbnails', 'kept_values', 'dark_charts'))]\n"
        "nb_execution_mode = 'off'\n"
        "numfig = True\nhtml_theme = 'basic'\n"
    )
    (folder / "index.md").write_text(
        f"# Book\n\n```{{thumbnail}} {label}\n```\n\n"
        f"```{{toctree}}\nnotebooks/01-dot\n{more}\n```\n"
    )
    done = sphinx_build(folder, "-n", builder=builder)
    page = folder / "html/index.html"
    return page.read_text() if page.exists() else "", done


def test_a_thumbnail_leads_to_its_figure(tmp_path):
    page, done = build(tmp_path, "fig-dot", json.loads(EXECUTED.read_text()))
    assert done.returncode == 0, done.stderr
    link = re.search(
        r'href="notebooks/01-dot.html#fig-dot"><img alt="A dot."[^>]*src="(.*?)"', page
    )
    assert link and (tmp_path / "html" / link[1]).stat().st_size > 0


def test_before_a_chapter_is_executed_there_is_a_line(tmp_path):
    notebook = json.loads(EXECUTED.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    page, done = build(tmp_path, "fig-dot", notebook)
    assert done.returncode == 0 and "draws the figure here" in page


def test_an_unknown_figure_stops_the_build(tmp_path):
    _, done = build(tmp_path, "fig-no", json.loads(EXECUTED.read_text()))
    assert done.returncode and "no cell of a chapter has a figure named 'fig-no'" in done.stderr


# --- Alt texts ------------------------------------------------------------------------------------


def with_alt(alt):
    """A chapter whose one figure has this alt text, and which keeps a number and shows it."""
    notebook = json.loads(EXECUTED.read_text())
    kept = {
        "output_type": "display_data",
        "data": {kept_values.PAPERMILL: ["-2.0449"]},
        "metadata": {"scrapbook": {"name": "lead", "mime_prefix": "application/papermill.record/"}},
    }
    (cell,) = [c for c in notebook["cells"] if "figure" in c["metadata"].get("mystnb", {})]
    cell["metadata"]["mystnb"]["image"]["alt"] = alt
    cell["outputs"].append(kept)
    sentence = "On 2026-11-25 the lead was {glue:text}`lead:.2f` points."
    notebook["cells"].append(cell | {"cell_type": "markdown", "source": sentence, "metadata": {}})
    del notebook["cells"][-1]["outputs"], notebook["cells"][-1]["execution_count"]
    return notebook


def test_an_alt_text_has_what_was_found(tmp_path):
    page, done = build(tmp_path, "fig-dot", with_alt("A lead of {lead:.1f} points."))
    assert done.returncode == 0, done.stderr
    chapter = (tmp_path / "html/notebooks/01-dot.html").read_text()
    for html in (page, chapter):
        assert 'alt="A lead of \N{MINUS SIGN}2.0 points."' in html
    assert (
        'On 2026-11-25 the lead was <span class="pasted-text">\N{MINUS SIGN}2.04</span>' in chapter
    )


@pytest.mark.parametrize("builder", ["singlehtml", "latex"])
def test_alt_texts_of_pages_in_one_document(tmp_path, builder):
    """Each has the values of its own page, also where two keep other values by one name."""
    other = with_alt("Another lead, of {lead:.1f} points.")
    other["cells"] = json.loads(
        json.dumps(other["cells"]).replace("-2.0449", "3.5").replace("fig-dot", "fig-other")
    )
    (tmp_path / "notebooks").mkdir()
    (cell,) = [c for c in other["cells"] if "figure" in c["metadata"].get("mystnb", {})]
    cell["metadata"]["tags"] = ["hide-cell"]  # folded
    (tmp_path / "notebooks/02-other.ipynb").write_text(json.dumps(other))
    chapter = with_alt("A lead of {lead:.1f} points.")
    _, done = build(tmp_path, "fig-dot", chapter, "notebooks/02-other", builder)
    assert done.returncode == 0, done.stderr
    (made,) = [path for path in (tmp_path / "html").iterdir() if path.suffix in (".html", ".tex")]
    text = made.read_text()
    assert not re.search(r"lead:\.", text)
    if builder == "singlehtml":  # LaTeX has no alt texts
        alts = re.findall('<img[^>]*alt="(A.*?)"', text)
        lead = "A lead of \N{MINUS SIGN}2.0 points."
        assert alts == [lead, lead, "Another lead, of 3.5 points."]


@pytest.mark.parametrize("place", ["{load:.1f}", "{lead:.1q}"])
def test_an_alt_text_that_cannot_be_filled_stops_the_build(tmp_path, place):
    notebook = with_alt(f"A lead of {place} points.")
    with pytest.raises((KeyError, ValueError)):
        kept_values.filled(f"{place}", kept_values.kept_in(notebook))
    _, done = build(tmp_path, "fig-dot", notebook)
    assert done.returncode and "the alt text" in done.stderr and "can't be filled" in done.stderr


# --- Charts in dark mode --------------------------------------------------------------------------


def drawn(path, squares):
    """A white sheet with a line of text and squares of as many colours."""
    sheet = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((10, 270), "share of the variance (%)", fill="black")
    draw.line([(30, 250), (380, 20)], fill="#0072B2", width=2)
    for n in range(squares):
        draw.rectangle([20 * n, 10, 20 * n + 18, 28], fill=(12 * n, 255 - 12 * n, 90))
    sheet.save(path)
    return path


def test_a_chart_is_told_from_a_bank_of_filters(tmp_path):
    assert dark_charts.is_chart(drawn(tmp_path / "lines.png", 0))
    assert dark_charts.is_chart(drawn(tmp_path / "with-a-legend.png", 4))
    assert not dark_charts.is_chart(drawn(tmp_path / "filters.png", 20))
    photograph = Image.effect_noise((300, 300), 60).convert("RGB")
    photograph.save(tmp_path / "photograph.png")
    assert not dark_charts.is_chart(tmp_path / "photograph.png")


@pytest.mark.parametrize(
    ("draw", "is_chart"),
    [
        (lambda ax: ax.plot([1, 2, 4]), True),
        (lambda ax: ax.plot([1, 2, 4], ".", rasterized=True), True),
        (lambda ax: show_image(torch.rand(3, 8, 8), ax=ax), False),
        (lambda ax: filter_grid(torch.randn(5, 1, 3, 3), ax=ax), False),
        (lambda ax: ax.imshow([[0.2, 0.7]], cmap="RdBu_r"), False),
    ],
)
def test_an_svg_is_a_chart_unless_it_shows_pixels(tmp_path, draw, is_chart):
    with mpl.rc_context():
        use_style()
        figure = Figure()
        draw(figure.subplots())
        figure.savefig(tmp_path / "figure.svg")
    assert dark_charts.is_chart(tmp_path / "figure.svg") == is_chart


def test_a_chart_is_marked_where_it_is_shown(tmp_path):
    notebook = json.loads(EXECUTED.read_text())
    chart = b64encode(drawn(tmp_path / "chart.png", 0).read_bytes()).decode()
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = chart
    page, done = build(tmp_path, "fig-dot", notebook)
    assert done.returncode == 0, done.stderr
    chapter = (tmp_path / "html/notebooks/01-dot.html").read_text()
    assert re.search(r'<img[^>]*class="[^"]*chart', chapter), "the figure"
    assert re.search(r'<img[^>]*class="[^"]*chart', page), "and its thumbnail"
