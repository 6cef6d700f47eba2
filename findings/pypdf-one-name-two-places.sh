#!/usr/bin/env bash
# pypdf 7.1.1: two chapters, each with a place named section.1 (LaTeX names them so), joined by append.
# Expected: both places, or a warning. Seen: the second name is left out, so a link by this name in the
# second chapter leads into the first. Name the places by chapter before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'pypdf==7.1.1'
env/bin/python - <<'CODE'
from pypdf import PdfReader, PdfWriter

joined = PdfWriter()
for name in ("first.pdf", "second.pdf"):
    chapter = PdfWriter()
    chapter.add_blank_page(100, 100)
    chapter.add_named_destination("section.1", 0)
    chapter.write(name)
    joined.append(name)
joined.write("joined.pdf")
book = PdfReader("joined.pdf")
places = {name: book.get_destination_page_number(place) for name, place in book.named_destinations.items()}
assert len(book.pages) == 2 and places == {"section.1": 0}
print("as found: of two places named section.1, pypdf keeps the one on page 1")
CODE
