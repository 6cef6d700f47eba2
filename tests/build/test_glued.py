"""Pages that show another page's values are written again when those change."""

from types import SimpleNamespace

from companion.pages.extension import site as companion

PAGES = {
    "role": "{glue:text}`../notebooks/03-x.ipynb::n:d` images",
    "directive": "```{glue:} picture\n:doc: ../notebooks/03-x.ipynb\n```\n",
    "verdict": "Claim 18: {verdict}`18`",
    "cards": "```{claims-cards} beyond\n```\n",
    "link": "[chapter 3](../notebooks/03-x.ipynb) and {doc}`../notebooks/03-x`",
}


def test_pages_with_glued_values_follow_the_chapters(tmp_path):
    for name, text in PAGES.items():
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    env = SimpleNamespace(found_docs=list(PAGES), doc2path=lambda name: tmp_path / f"{name}.md")
    found = companion.dependants(None, env, set(), {"notebooks/03-x"}, set())
    assert found == ["role", "directive", "verdict", "cards"]
    assert companion.dependants(None, env, set(), {"book/index"}, set()) == []
