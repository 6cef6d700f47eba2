"""The PDF: every link of a page leads to the place that it leads to on the site."""

import pytest

from tools import pdf
from tools.browser import executable

pytestmark = pytest.mark.skipif(executable() is None, reason="no browser is there")

PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{name}</title>
<h1>Page {name}</h1><p>{links}</p>
<div style="height: {above}px"></div><h2 id="same">Same on {name}</h2>
<div style="height: 1500px"></div><h2 id="größe 1">Size on {name}</h2></html>"""
LINKS = {
    "a": ["#same", "b.html#same", "b.html", "b.html#gr%C3%B6%C3%9Fe%201", "b.html#not-there",
          "picture.png",
          "https://example.org/a.html#same"],
    "b": ["a.html#same", "#same", "a.html", "#gr%C3%B6%C3%9Fe%201"],
}  # fmt: skip
ABOVE = {"a": 2500, "b": 5000}  # so that what has one name is on another sheet of each page


def test_links_keep_their_place(tmp_path):
    for name, found in LINKS.items():
        anchors = " ".join(f'<a href="{link}">link</a>' for link in found)
        page = PAGE.format(name=name, links=anchors, above=ABOVE[name])
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    target = tmp_path / "book.pdf"
    pdf.join(tmp_path, ["a", "b"]).write(target)
    book = pdf.PdfReader(target)
    sheets = [page.extract_text() for page in book.pages]

    def sheet(words):
        (found,) = [number for number, text in enumerate(sheets) if words in text]
        return found

    starts = {name: sheet(f"Page {name}") for name in LINKS}
    same = {name: sheet(f"Same on {name}") for name in LINKS}
    size = {name: sheet(f"Size on {name}") for name in LINKS}
    assert len({*starts.values(), *same.values(), *size.values()}) == 6
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(book.pages)}
    led, outside = [], []
    for link in pdf.links(book):
        if "/A" not in link:  # of the picture, which is not in the PDF
            outside.append("")
        elif "/D" in link["/A"]:
            led.append((numbers[link["/A"]["/D"][0].idnum], *link["/A"]["/D"][1:]))
        else:
            outside.append(link["/A"]["/URI"])
    assert [place[0] for place in led] == [
        same["a"], same["b"], starts["b"], size["b"], starts["b"],
        same["a"], same["b"], starts["a"], size["b"],
    ]  # fmt: skip
    assert outside == ["", "https://example.org/a.html#same"]
    assert {place[1] for place in led} == {"/XYZ"}
    assert led[1][2:] == led[6][2:] != led[0][2:], "and at its height"
