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


PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
IMAGE = f'<figure style="width: 50%"><img src="{PICTURE}" width="2"></figure>'
ABOVE = '<p style="height: 100px"></p>'
LINES = "\n".join(["short", "x" * 100, LONG])
PAGES = {
    "plain": "",
    "code": CODE.format("1 + 1"),
    "folded": FOLDED.format(LONG),
    "figure": FIGURE,
    "lines": CODE.format(LINES),
    "folded_lines": FOLDED.format(LINES),
    "wide": '<div style="overflow-x: auto"><p style="width: 700px">Wide.</p></div>',
    "image": ABOVE + IMAGE,
    "share": IMAGE.replace('width="2"', 'style="width: 2px"'),
    "beyond": ABOVE + '<p style="width: 600px">W</p>',
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    (site / "notebooks").mkdir()
    for name, content in PAGES.items():
        (site / "notebooks" / f"{name}.html").write_text(PAGE.format(content))
    return measure.measure(site)


def test_shares_of_the_height(found):
    for name, shares in {
        "plain": (0, 0), "figure": (0, 0.3), "code": (0.2, 0), "folded": (0.04, 0)
    }.items():  # fmt: skip
        assert all(at["height"] == 1000 and at["words"] == 5 for at in found[name])
        assert [(at["code"], at["figures"]) for at in found[name]] == [shares] * 2


def test_lines_that_are_cut(found):
    assert [at["cut"] for at in found["lines"]] == [1, 2], "100 letters fit on a wide screen alone"
    assert [at["cut"] for at in found["folded_lines"]] == [0, 0], "nobody sees them"


def test_the_first_picture_what_scrolls_and_how_small_letters_are(found):
    assert [(at["first"], at["letters"]) for at in found["wide"]] == [(None, None)] * 2
    assert [(at["scrolls"], at["beyond"]) for at in found["wide"]] == [(0, 0), (1, 0)]
    tops = [at["first"] for at in found["image"]]
    assert 100 < tops[0] < 150, "below a line of prose and the box of 100 px"
    assert [at["letters"] for at in found["image"]] == [40, 40], "20 px, and shown twice as large"
    assert [at["letters"] for at in found["share"]] == [60, 60], "a picture of today's 216 dpi"
    assert [at["beyond"] for at in found["beyond"]] == [0, 210]


def test_a_folder_that_is_no_site(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["measure", str(tmp_path)])
    with pytest.raises(SystemExit, match="has no folder notebooks; build the book"):
        measure.main()
