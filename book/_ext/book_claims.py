"""The claims of book/claims.yml on the pages, with what the executed chapters found of them.

The directive `claims-tally` counts the verdicts, `claims-table` makes the table of one group, the
role `verdict` gives one claim's verdict, and the substitution `n_claims` their number. A build in
which a chapter keeps a verdict on a claim that is not in the list, or none on one that the list
gives to it, fails.
"""

import json
import re
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from patchinit.chapters.claim_list import read_claims

NAME = re.compile(r"claim_(\d+)_verdict")
WORDS = ("supported", "not supported", "undecided")
HEAD = """```{list-table}
:header-rows: 1
:widths: 6 28 14 52
:class: claims

* - claim
  - statement
  - verdict
  - what we saw
"""


def glued_verdicts(notebook):
    """{claim: verdict} of one executed notebook, from what its cells have glued."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    found = {}
    for output in outputs:
        match = NAME.fullmatch(output.get("metadata", {}).get("scrapbook", {}).get("name", ""))
        text = "".join(
            output.get("data", {}).get("application/papermill.record/text/plain", "")
        ).strip("'\"")
        if match and text:
            found[int(match[1])] = text
    return found


def decided(claims, found):
    """({claim: verdict of the chapter that decides it}, what is wrong with them).

    `found` has the verdicts of each chapter, by its number.
    """
    verdicts = {
        number: found[claim.chapter][number]
        for number, claim in claims.items()
        if number in found.get(claim.chapter, {})
    }
    problems = [
        f"chapter {chapter} keeps a verdict on claim {number}, which is not in claims.yml"
        for chapter, of_chapter in found.items()
        for number in of_chapter
        if number not in claims
    ]
    problems += [
        f"chapter {claim.chapter} keeps no verdict on claim {number}, which claims.yml gives to it"
        for number, claim in claims.items()
        if number not in verdicts
    ]
    return verdicts, problems


def tally(verdicts):
    """One sentence that counts them."""
    counts = Counter(verdicts.values())
    parts = [f"{counts[word]} {word}" for word in WORDS]
    return f"**Of {len(verdicts)} claims, {parts[0]}, {parts[1]} and {parts[2]} in this build.**"


def row(claim, chapters):
    """A claim's line of the table, in MyST; `chapters` has each chapter's page by its number."""
    glue = "{{glue:text}}`../notebooks/{page}.ipynb::claim_{number}_{what}:s`".format

    def shown(chapter, figure):
        page = chapters[chapter]
        link = f"{{doc}}`chapter {chapter} <../notebooks/{page}>`"
        return (
            glue(page=page, number=claim.number, what="evidence")
            + f" ({f'{{numref}}`{figure}` in ' if figure else ''}{link})"
        )

    page, saw = chapters[claim.chapter], shown(claim.chapter, claim.figure)
    if claim.untrained:
        saw = f"Untrained: {shown(**claim.untrained)} Trained: {saw}"
    if claim.rests_on_runs:
        saw += f". To decide: {glue(page=page, number=claim.number, what='needed')}."
    verdict = glue(page=page, number=claim.number, what="verdict")
    return f"* - {claim.number}\n  - {claim.statement}\n  - {verdict}\n  - {saw}\n"


class Listed:
    """What a directive or role needs of the list and of the chapters; `env` is Sphinx's."""

    def claims(self):
        path = Path(self.env.srcdir) / "book" / "claims.yml"
        self.env.note_dependency(str(path))
        return read_claims(path)

    def chapters(self):
        """{number: path} of the chapters."""
        paths = sorted((Path(self.env.srcdir) / "notebooks").glob("[0-9]*.ipynb"))
        return {int(path.stem.split("-")[0]): path for path in paths}

    def pages(self):
        return {number: path.stem for number, path in self.chapters().items()}


class ClaimsTally(SphinxDirective, Listed):
    """One sentence, or a line that says why there is none."""

    def run(self):
        found = {}
        for number, path in self.chapters().items():
            self.env.note_dependency(str(path))
            found[number] = glued_verdicts(json.loads(path.read_text(encoding="utf-8")))
        if not any(found.values()):
            return self.parse_text_to_nodes(
                "This build did not count the verdicts; `make book` does."
            )
        verdicts, problems = decided(self.claims(), found)
        if problems:
            raise self.error("; ".join(problems))
        return self.parse_text_to_nodes(tally(verdicts))


class ClaimsTable(SphinxDirective, Listed):
    """The claims of one group: statement, verdict and what the chapter saw."""

    required_arguments = 1

    def run(self):
        claims, pages = self.claims().values(), self.pages()
        rows = [row(claim, pages) for claim in claims if claim.group == self.arguments[0]]
        if not rows:
            raise self.error(f"no claim of claims.yml is of the group {self.arguments[0]!r}")
        return self.parse_text_to_nodes(HEAD + "".join(rows) + "```")


class Verdict(SphinxRole, Listed):
    """The verdict on the claim of this number."""

    def run(self):
        claim = self.claims().get(int(self.text))
        if claim is None:
            text = f"claim {self.text} is not in claims.yml"
            return [], [self.inliner.reporter.error(text, line=self.lineno)]
        page = self.pages()[claim.chapter]
        text = f"{{glue:text}}`../notebooks/{page}.ipynb::claim_{claim.number}_verdict:s`"
        return self.inliner.parse(text, self.lineno, None, nodes.inline())


def count(app, config):
    """The number of claims, for the text: {{ n_claims }}."""
    claims = read_claims(Path(app.srcdir) / "book" / "claims.yml")
    config.myst_substitutions = {**config.myst_substitutions, "n_claims": len(claims)}


def setup(app):
    app.connect("config-inited", count)
    app.add_directive("claims-tally", ClaimsTally)
    app.add_directive("claims-table", ClaimsTable)
    app.add_role("verdict", Verdict())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
