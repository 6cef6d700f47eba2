"""The map of the chapters on the first page."""

import re
from pathlib import Path

import pytest

from companion.pages.extension import chapter_map

ROOT = Path(__file__).parents[2]

PAGE = (ROOT / "book/index.md").read_text(encoding="utf-8")


def notebook(words, figures=0):
    """A chapter of so many words and figures."""
    text = "# A title\n\n" + "word " * (words - 3)  # the title has two and its sign
    figure = {"cell_type": "code", "source": "x " * 999, "metadata": {"mystnb": {"figure": {}}}}
    prose = {"cell_type": "markdown", "source": [text], "metadata": {}}
    return {"cells": [prose, *[figure] * figures]}


@pytest.mark.parametrize(
    ("words", "figures", "minutes"), [(400, 0, 2), (400, 5, 3), (1000, 10, 7), (20, 0, 1)]
)
def test_minutes_come_from_words_and_pictures(words, figures, minutes):
    assert chapter_map.minutes(notebook(words, figures)) == minutes


def test_markup_is_not_read():
    text = "{glue:text}`../notebooks/03-x.ipynb::n` images\n:::{admonition} One\n:class: note\n:::"
    assert len(chapter_map.MARKUP.sub("", text).split()) == 2, "a number and its noun"


def test_a_card():
    text = chapter_map.card("01-x", "fig-x", "What is it?", notebook(400), 41.6)
    assert "{doc}`A title <../notebooks/01-x>`" in text and "{thumbnail} fig-x" in text
    assert "2 min to read, 42 s to run" in text
    assert "to run" not in chapter_map.card("01-x", "fig-x", "What?", notebook(400), None)


def test_every_chapter_is_on_the_map_with_a_figure_of_its_own():
    lines = re.search(r"```\{chapter-map\}\n(.*?)\n```", PAGE, re.DOTALL)[1].splitlines()
    entries = [chapter_map.LINE.fullmatch(line).groups() for line in lines]
    chapters = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    assert [name for name, _, _ in entries] == [path.stem for path in chapters]
    for (_, figure, _), path in zip(entries, chapters, strict=True):
        assert f'"name": "{figure}"' in path.read_text(encoding="utf-8"), figure
