"""Print the built book as one PDF: python -m tools.pdf

Chromium prints each page in the light scheme; they are joined in the book's order, with an outline,
and their links, to each other and within themselves, lead to the same places in the PDF.
"""

import io
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NullObject,
    TextStringObject,
)  # fmt: skip

from tools.browser import Browser, BrowserError, Page, ready
from tools.gates import SITE, documents

TARGET = Path("_build/pdf/filters-from-patches.pdf")
A4: dict[str, Any] = {"paperWidth": 8.27, "paperHeight": 11.69}  # inches
FOOT = (
    '<div style="width: 100%; font: 8px sans-serif; text-align: center; color: #555">'
    '<span class="title"></span> · <span class="pageNumber"></span></div>'
)
# Chromium notes the places of those elements alone that a link on the same page leads to.
LINK_ALL = """(() => {
  const links = document.body.appendChild(document.createElement("div"));
  links.hidden = true;
  for (const e of document.querySelectorAll("[id], a[name]"))
    links.appendChild(document.createElement("a")).href = "#" + encodeURIComponent(e.id || e.name);
})()"""
Place = tuple[int, float | None, float | None]  # a sheet, from 0, and how far from left and bottom


def print_page(page: Page, address: str) -> PdfReader:
    """What is folded on the screen is left folded: code, mostly."""
    page.show(1000, 1400, "light")
    page.open(address)
    page.load_pictures()
    page.run(LINK_ALL)
    answer = page.send(
        "Page.printToPDF",
        **A4, preferCSSPageSize=True, printBackground=True, generateTaggedPDF=True,
        generateDocumentOutline=True, displayHeaderFooter=True,
        headerTemplate="<span></span>", footerTemplate=FOOT,
    )  # fmt: skip
    return PdfReader(io.BytesIO(b64decode(answer["data"])))


def links(document: PdfReader | PdfWriter) -> Iterator[DictionaryObject]:
    for sheet in document.pages:
        for annotation in sheet.get("/Annots") or []:
            yield annotation.get_object()


def places_of(part: PdfReader, address: str, start: int) -> dict[str, Place]:
    """{address: place in the whole} of a page whose first sheet is `start`, and of all within it.

    Links within the page get such an address too: another page may have a place of the same name.
    """
    places: dict[str, Place] = {unquote(address): (start, None, None)}
    for name, place in part.named_destinations.items():
        sheet = part.get_destination_page_number(place)
        if sheet is not None:
            key = unquote(f"{address}#{name.removeprefix('/')}")
            places[key] = start + sheet, place.left, place.top
    for link in links(part):
        if "/Dest" in link:
            there = TextStringObject(f"{address}#{str(link.pop('/Dest')).removeprefix('/')}")
            link[NameObject("/A")] = DictionaryObject(
                {NameObject("/S"): NameObject("/URI"), NameObject("/URI"): there}
            )
    part.root_object.pop("/Dests", None)
    return places


def lead_inside(writer: PdfWriter, places: dict[str, Place]) -> None:
    """Let links to what has a place lead there, others on a page of the book to its beginning.

    Those to other files of the site lead nowhere: a reader of the PDF has none.
    """
    for link in links(writer):
        action = link.get("/A")
        address = unquote(str(action.get_object().get("/URI", ""))) if action else ""
        place = places.get(address) or places.get(address.partition("#")[0])
        if address.startswith("file:") and not place:
            del link["/A"]
        if place:
            sheet, *point = place
            at = [NullObject() if x is None else FloatObject(x) for x in (*point, None)]
            there = ArrayObject([writer.pages[sheet].indirect_reference, NameObject("/XYZ"), *at])
            link[NameObject("/A")] = DictionaryObject(
                {NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): there}
            )


def join(site: Path, names: list[str]) -> PdfWriter:
    """The pages of a site in this order, as one document."""
    writer = PdfWriter()
    places: dict[str, Place] = {}
    with Browser() as browser:
        page = browser.page()
        for name in names:
            address = (site / f"{name}.html").resolve().as_uri()
            part = print_page(page, address)
            places |= places_of(part, address, len(writer.pages))
            title = page.run("document.querySelector('h1').firstChild.parentElement.innerText")
            writer.append(part, outline_item=title.rstrip("#\n "), import_outline=False)
    lead_inside(writer, places)
    writer.add_metadata({"/Title": "Filters from Patches"})
    return writer


def main() -> None:
    if not ready("The PDF is not made"):
        return
    try:
        writer = join(SITE, documents())
    except BrowserError as error:
        sys.exit(f"The PDF could not be made: {error}")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    writer.compress_identical_objects()
    writer.write(TARGET)
    print(f"{TARGET}: {len(writer.pages)} sheets, {TARGET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
