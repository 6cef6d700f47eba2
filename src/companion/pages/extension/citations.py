"""The style `author_year` of the list of references: its labels are what the text cites.

sphinxcontrib-bibtex cites by author and year alone, so that two works of one author and year print
alike. Here their years get letters, "2024a" and "2024b", in citations and in the list.
"""

from collections import defaultdict
from collections.abc import Iterable
from string import ascii_lowercase
from typing import Any

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as UnsrtStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

CITED = AuthorYearReferenceStyle()  # what `bibtex_reference_style: author_year` stands for


def authors(entry: Entry) -> str:
    """As they are cited: "Jordan", "Coates and Ng", "Ren et al."."""
    names = CITED.person.author_or_editor_or_title(full=False)
    return str(names.format_data({"entry": entry, "style": CITED}))


class LabelStyle(BaseLabelStyle):
    """Author and year."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> list[str]:
        """The labels, in the order of the entries, whose years get the letters as well.

        An entry keeps its letter from build to build, so that an older one is taken off first.
        """
        alike: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
        entries = list(sorted_entries)
        for entry in entries:
            entry.fields["year"] = entry.fields.get("year", "n.d.").rstrip(ascii_lowercase)
            alike[authors(entry), entry.fields["year"]].append(entry)
        for works in alike.values():
            for letter, entry in zip(ascii_lowercase, works, strict=False):
                entry.fields["year"] += letter * (len(works) > 1)
        return [f"{authors(entry)}, {entry.fields['year']}" for entry in entries]


class Style(UnsrtStyle):
    """Entries in the order of their labels."""

    default_sorting_style = "author_year_title"
    default_label_style = LabelStyle


def setup(app: Sphinx) -> dict[str, Any]:
    register_plugin("pybtex.style.formatting", "author_year", Style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
