"""What is measured of a page: its words, and how much of it is code, figures and cut lines."""

import pytest

from tools import measure
from tools.browser import executable

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>A page</title><style>
* {{ margin: 0; padding: 0; border: 0; box-sizing: border-box; }}
article {{ height: 1000px; }}
pre {{ font: 10px monospace; overflow-x: auto; white-space: pre; }}
</style></head><body><article><p>Five words of prose here.</p>{}</article></body></html>
"""
CODE = '<div class="cell"><div class="cell_input" style="height: 200px"><pre>{}</pre></div></div>'
FOLDED = (
    '<div class="cell"><details class="hide above-input">'
    '<summary style="height: 40px">Show</summary>'
    '<div class="cell_input" style="height: 500px"><pre>{}</pre></div></details></div>'
)
FIGURE = '<div class="cell cell_output"><figure style="height: 300px"></figure></div>'
LONG = "x" * 500

pytestmark = pytest.mark.skipif(executable() is None, reason="no browser is there")


@pytest.fixture
def measured(tmp_path):
    def of(**pages):
        folder = tmp_path / "notebooks"
        folder.mkdir()
        for name, content in pages.items():
            (folder / f"{name}.html").write_text(PAGE.format(content))
        return measure.measure(tmp_path)

    return of


def test_shares_of_the_height(measured):
    found = measured(plain="", code=CODE.format("1 + 1"), folded=FOLDED.format(LONG), figure=FIGURE)
    assert all(at["height"] == 1000 and at["words"] == 5 for page in found.values() for at in page)
    shares = {name: [(at["code"], at["figures"]) for at in page] for name, page in found.items()}
    assert shares["plain"] == [(0, 0)] * 2 and shares["figure"] == [(0, 0.3)] * 2
    assert shares["code"] == [(0.2, 0)] * 2 and shares["folded"] == [(0.04, 0)] * 2


def test_lines_that_are_cut(measured):
    lines = "\n".join(["short", "x" * 100, LONG])
    found = measured(code=CODE.format(lines), folded=FOLDED.format(lines))
    assert [at["cut"] for at in found["code"]] == [1, 2], "100 letters fit on a wide screen alone"
    assert [at["cut"] for at in found["folded"]] == [0, 0], "nobody sees them"


PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="


def test_the_first_picture_what_scrolls_and_how_small_letters_are(measured):
    above = '<p style="height: 100px"></p>'
    image = f'<figure style="width: 50%"><img src="{PICTURE}" width="2"></figure>'
    wide = '<div style="overflow-x: auto"><p style="width: 700px">Wide.</p></div>'
    share = image.replace('width="2"', 'style="width: 2px"')
    beyond = above + '<p style="width: 600px">W</p>'
    found = measured(none=wide, one=above + image, share=share, beyond=beyond)
    assert [(at["first"], at["letters"]) for at in found["none"]] == [(None, None)] * 2
    assert [(at["scrolls"], at["beyond"]) for at in found["none"]] == [(0, 0), (1, 0)]
    tops = [at["first"] for at in found["one"]]
    assert 100 < tops[0] < 150, "below a line of prose and the box of 100 px"
    assert [at["letters"] for at in found["one"]] == [40, 40], "20 px, and shown twice as large"
    assert [at["letters"] for at in found["share"]] == [60, 60], "a picture of today's 216 dpi"
    assert [at["beyond"] for at in found["beyond"]] == [0, 210]


def test_a_folder_that_is_no_site(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["measure", str(tmp_path)])
    with pytest.raises(SystemExit, match="has no folder notebooks; build the book"):
        measure.main()
