"""What a page has around its text: descriptions, cards and addresses."""

import io
import json
import xml.etree.ElementTree as xml
from base64 import b64encode
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from sphinx.errors import ConfigError

from companion.pages.extension import website
from tests.sphinx_builds import jupyter_book_build
from tests.tiny_book import SOURCE, write_book, write_chapter

ROOT = Path(__file__).parents[2]

FIGURE = {"figure": {"name": website.CARD, "caption": "Dots."}, "image": {"alt": 'A "dot".'}}


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("https://github.com/Owner/book", "https://owner.github.io/book/"),
        ("https://github.com/owner/owner.github.io", "https://owner.github.io/"),
        ("", ""),
    ],
)
def test_address(monkeypatch, repository, address):
    monkeypatch.delenv("PATCHINIT_SITE", raising=False)
    monkeypatch.setattr(website, "repository", lambda folder: (repository, "main"))
    assert website.address(".") == address
    monkeypatch.setenv("PATCHINIT_SITE", " ")
    assert website.address(".") == address


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://example.org/book", "https://example.org/book/"),
        ("https://example.org/book//", "https://example.org/book/"),
        ("book.example.org", "https://book.example.org/"),
        ("book.example.org/A/b-2", "https://book.example.org/A/b-2/"),
        ("HTTP://Example.org/~me/Book\n", "http://example.org/~me/Book/"),
        ("http://localhost:8000", "http://localhost:8000/"),
        ("localhost:8000/book", "https://localhost:8000/book/"),
        ("http://intranet/100%25", "http://intranet/100%25/"),
        ("https://example.org/index.html", "https://example.org/"),
        ("example.org/book/index.html/", "https://example.org/book/"),
    ],
)
def test_given_address(monkeypatch, given, address):
    monkeypatch.setenv("PATCHINIT_SITE", given)
    assert website.address(".") == address


@pytest.mark.parametrize(
    "given",
    [
        "my book", "https://example.org/my book", "https://example.org/?page=1",
        "https://example.org/book#top", "https://me:secret@example.org/", "file:///srv/book",
        "ftp://example.org", "mailto:me@example.org", "/srv/book", "//example.org/book", "../book",
        "./book", "_build/html", "_build/html/index.html", "index.html", "book", "C:\\book", "https://",
        "https:/example.org", "https://example..org", "https://example.org:port",
        "https://example.org//book", "https://example.org/../book", "https://example.org/b%2",
        "https://example.org/b\u00fcch", 'https://example.org/"><b>', "https://example.org/a.html",
    ],
)  # fmt: skip
def test_what_is_no_address(monkeypatch, given):
    monkeypatch.setenv("PATCHINIT_SITE", given)
    with pytest.raises(ConfigError, match="PATCHINIT_SITE is .* give it like https://"):
        website.address(".")


@pytest.mark.parametrize(("size", "drawn"), [((2000, 500), (1120, 280)), ((400, 300), (400, 300))])
def test_a_card_has_the_figure_in_its_middle_and_never_enlarged(size, drawn):
    content = io.BytesIO()
    Image.new("RGB", size, "orange").save(content, "PNG")
    card = website.card(content.getvalue())
    assert card.size == (1200, 630)
    left, top, right, bottom = Image.eval(card.split()[2], lambda blue: 255 - blue).getbbox()
    assert (right - left, bottom - top) == drawn
    assert abs(left - (1200 - right)) <= 1 and abs(top - (630 - bottom)) <= 1


def build(folder):
    """A book of a landing page and a chapter, whose figure is on the card, as `make book` does."""
    write_book(folder)
    write_chapter(folder, "1 + 1")
    notebook = json.loads((folder / SOURCE).read_text())
    png = io.BytesIO()
    Image.new("RGB", (300, 200), "orange").save(png, "PNG")
    notebook["cells"][-1]["metadata"]["mystnb"] = FIGURE
    notebook["cells"][-1]["outputs"] = [
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"image/png": b64encode(png.getvalue()).decode()},
        }
    ]
    (folder / SOURCE).write_text(json.dumps(notebook))
    config = (folder / "_config.yml").read_text().replace("force", "off")
    config = config.replace("extension.site]", "extension.site, companion.pages.extension.website]")
    (folder / "_config.yml").write_text(
        config + "  config: {html_context: {description: Small.}}\n"
    )
    for text in ("First.", "Filters & *patches*.\n\n## More\n\nText."):  # one page is made twice
        (folder / "book/index.md").write_text(f"# Tiny\n\n{text}\n")
        jupyter_book_build(folder)
    return folder / "_build/html"


def properties(page):
    soup = BeautifulSoup(page.read_text(), "html.parser")
    tags = soup.find_all("meta", content=True)
    found = {tag.get("property") or tag.get("name"): tag["content"] for tag in tags}
    return soup.title.get_text(strip=True), found


def test_a_book_with_an_address(tmp_path, monkeypatch):
    monkeypatch.setenv("PATCHINIT_SITE", "https://example.org/tiny")
    site = build(tmp_path)
    title, found = properties(site / "book/index.html")
    assert title == "Tiny", "and not twice"
    assert found["description"] == found["og:description"] == "Filters & patches."
    assert found["og:url"] == "https://example.org/tiny/book/index.html"
    assert found["og:image"] == "https://example.org/tiny/_static/card.png"
    assert found["og:image:alt"] == 'A "dot".'
    title, found = properties(site / "notebooks/01-tiny.html")
    assert (title, found["og:title"]) == ("A chapter — Tiny", "A chapter")
    assert found["description"] == "Small.", "it has no paragraph of its own"
    places = {place.text for place in xml.parse(site / "sitemap.xml").iterfind("{*}url/{*}loc")}
    assert places == {
        "https://example.org/tiny/book/index.html",
        "https://example.org/tiny/notebooks/01-tiny.html",
    }
    lost = BeautifulSoup((site / "404.html").read_text(), "html.parser")
    assert lost.find("a", href="/tiny/notebooks/01-tiny.html") and lost.find("article").p.a
    links = [tag.get("href") or tag.get("src") for tag in lost.select("[href], [src]")]
    start = ("/tiny/", "https://example.org/tiny/", "#")
    assert all(link.startswith(start) for link in links), "it is shown at any address"
    with Image.open(site / "_static/card.png") as card:
        assert card.size == website.SIZE
    entrance = BeautifulSoup((site / "index.html").read_text(), "html.parser")
    assert (entrance.html["lang"], entrance.title.text) == ("en", "Tiny")


def test_a_book_without_an_address(tmp_path, monkeypatch):
    for name in ("PATCHINIT_SITE", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    site = build(tmp_path)
    _, found = properties(site / "book/index.html")
    assert found["twitter:card"] == "summary" and not {"og:image", "og:url"} & set(found)
    for name in ("sitemap.xml", "404.html", "_static/card.png"):
        assert not (site / name).exists()
