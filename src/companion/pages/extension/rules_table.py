"""The directive `rules-table`: which is older, a rule or the results, from book/rules.csv."""

import csv
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HEAD = """```{list-table}
:header-rows: 1
:widths: 46 18 18 18
:class: rules

* - rules
  - as they are since
  - first results that they judge
  - which is older
"""


def when(date: str, commit: str) -> str:
    """The day, the time and the commit; a commit cannot name itself, and may be left out."""
    if not commit:
        return "in the newest commit"
    time = datetime.fromisoformat(date)
    return f"{time.day} {time:%b %Y, %H:%M} (`{commit[:7]}`)"


def table(rows: Iterable[dict[str, str]]) -> str:
    """The rows in MyST, one line for rules that share both commits and the reason."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        shared = ("date", "commit", "results", "results_date", "results_commit", "older", "why")
        groups.setdefault(tuple(row[key] for key in shared), []).append(row["rule"])
    lines = []
    for (date, commit, study, results_date, results_commit, older, why), names in groups.items():
        results = f"`{study}`, {when(results_date, results_commit)}" if study else "none yet"
        exception = f"\n\n    **Exception.** {why}" if older == "no" else ""
        verdict = "**the results**" if older == "no" else "the rules"
        cells = [f"{'; '.join(names)}{exception}", when(date, commit), results, verdict]
        lines.append("* - " + "\n  - ".join(cells) + "\n")
    return HEAD + "".join(lines) + "```"


class RulesTable(SphinxDirective):
    """The whole table, with exceptions marked."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / "book" / "rules.csv"
        self.env.note_dependency(str(path))
        with path.open(encoding="utf-8", newline="") as file:
            return self.parse_text_to_nodes(table(csv.DictReader(file)))


def setup(app: Sphinx) -> None:
    app.add_directive("rules-table", RulesTable)
