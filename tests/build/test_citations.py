"""Two works of one author and year are told apart, in the text and in the list of references."""

from bs4 import BeautifulSoup

from tests.sphinx_builds import sphinx_build

ENTRY = "@misc{{{key}, author = {{{author}}}, title = {{{title}}}, year = {{{year}}}}}\n"
CONF = """\
extensions = ["myst_parser", "sphinxcontrib.bibtex", "companion.pages.extension.citations"]
bibtex_bibfiles = ["works.bib"]
bibtex_reference_style = bibtex_default_style = "author_year"
"""
PAGE = """\
# Tiny

{cite:t}`second`. {cite:p}`first`. {cite:p}`other`. {cite:t}`earlier`. {cite:t}`crowd`.

```{bibliography}
```
"""


def built(folder):
    """(the text with its citations, {label: entry} of the list) of the page, as it is built now."""
    done = sphinx_build(folder)
    assert done.returncode == 0, done.stderr
    page = BeautifulSoup((folder / "html/index.html").read_text(), "html.parser")
    cited = page.select_one("section > p").get_text()
    listed = {
        entry.select_one(".label").get_text().strip("[]"): entry.p.get_text()
        for entry in page.select(".citation")
    }
    return cited, listed


def test_letters_where_author_and_year_are_alike(tmp_path):
    works = {
        "first": ("Jordan, Keller", "A title", 2024),
        "second": ("Jordan, Keller", "Before it in the text", 2024),
        "earlier": ("Jordan, Keller", "Years before", 2019),
        "other": ("Jordan, Keller and Ng, Andrew", "Another", 2024),
        "crowd": ("Ren, Xudie and Guo, Haonan and He, Guanghua", "Of many", 2016),
    }
    entries = [
        ENTRY.format(key=key, author=author, title=title, year=year)
        for key, (author, title, year) in works.items()
    ]
    (tmp_path / "works.bib").write_text("".join(entries))
    (tmp_path / "conf.py").write_text(CONF)
    for text in (PAGE, PAGE + "\nBuilt again, with the entries that Sphinx kept.\n"):
        (tmp_path / "index.md").write_text(text)
        cited, listed = built(tmp_path)
        assert cited == (
            "Jordan [2024b]. [Jordan, 2024a]. [Jordan and Ng, 2024]. Jordan [2019]. "
            "Ren et al. [2016]."
        )
        assert list(listed) == [
            "Jordan, 2019", "Jordan, 2024a", "Jordan, 2024b", "Jordan and Ng, 2024",
            "Ren et al., 2016",
        ]  # fmt: skip
        assert listed["Jordan, 2024a"].endswith("A title. 2024a.")
        assert listed["Jordan, 2024b"].endswith("Before it in the text. 2024b.")
