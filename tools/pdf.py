"""Print the built book as one PDF: python -m tools.pdf

Chromium prints each page in the light scheme; they are joined in the book's order, with an outline,
and their links to each other lead to places in the PDF.
"""

import io
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NullObject

from tools.browser import Browser, BrowserError, Page, ready
from tools.gates import SITE, documents

TARGET = Path("_build/pdf/filters-from-patches.pdf")
A4: dict[str, Any] = {"paperWidth": 8.27, "paperHeight": 11.69}  # inches
FOOT = (
    '<div style="width: 100%; font: 8px sans-serif; text-align: center; color: #555">'
    '<span class="title"></span> · <span class="pageNumber"></span></div>'
)


def print_page(page: Page, address: str) -> PdfReader:
    """What is folded on the screen is left folded: code, mostly."""
    page.show(1000, 1400, "light")
    page.open(address)
    page.load_pictures()
    answer = page.send(
        "Page.printToPDF",
        **A4, preferCSSPageSize=True, printBackground=True, generateTaggedPDF=True,
        generateDocumentOutline=True, displayHeaderFooter=True,
        headerTemplate="<span></span>", footerTemplate=FOOT,
    )  # fmt: skip
    return PdfReader(io.BytesIO(b64decode(answer["data"])))


def lead_inside(writer: PdfWriter, starts: dict[str, int]) -> None:
    """Let links to other pages lead to the sheets on which these begin, from 0, in `starts`."""
    for sheet in writer.pages:
        for annotation in sheet.get("/Annots") or []:
            action = annotation.get_object().get("/A")
            address = str(action.get_object().get("/URI", "")).partition("#")[0] if action else ""
            if address in starts:
                there = writer.pages[starts[address]].indirect_reference
                place = [there, NameObject("/XYZ"), *[NullObject()] * 3]
                annotation.get_object()[NameObject("/A")] = DictionaryObject(
                    {NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): ArrayObject(place)}
                )


def join(site: Path, names: list[str]) -> PdfWriter:
    """The pages of a site in this order, as one document."""
    writer, starts = PdfWriter(), {}
    with Browser() as browser:
        page = browser.page()
        for name in names:
            address = (site / f"{name}.html").resolve().as_uri()
            part = print_page(page, address)
            starts[address] = len(writer.pages)
            title = page.run("document.querySelector('h1').firstChild.parentElement.innerText")
            writer.append(part, outline_item=title.rstrip("#\n "), import_outline=False)
    lead_inside(writer, starts)
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
