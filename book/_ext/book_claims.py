"""The claims of book/claims.yml on the pages, with what the executed chapters found of them.

The directive `claims-tally` counts the verdicts, `claims-table` makes the table of one group,
the role `verdict` gives one claim's verdict, and the substitution
`n_claims` their number. A build in which a chapter keeps a verdict on a claim that is not in the
list, or none on one that the list gives to it, fails. Beside the pages stand claims.json, for
machines, and a badge for each claim.
"""

import ast
import html
import json
import re
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from patchinit.chapters.claim_list import read_claims

NAME = re.compile(r"claim_(\d+)_(verdict|where|evidence|needed|record)")
#: Every word for a claim, with the sign and the colour of its badge (white text, 4.5 to 1 or more).
WORDS = {
    "supported": ("✓", "#1a6b3c"),
    "contradicted": ("✗", "#a3242b"),
    "not supported": ("✗", "#a3242b"),
    "no practical difference": ("=", "#6b4b00"),
    "mixed": ("±", "#6a3d9a"),
    "undecided": ("?", "#555555"),
    "described": ("i", "#24578f"),
}
HEAD = """```{list-table}
:header-rows: 1
:widths: 6 28 14 52
:class: claims

* - claim
  - statement
  - verdict
  - what we saw
"""


def glued_claims(notebook):
    """{claim: {what: text}} of one executed notebook, from what its cells have glued."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    found = {}
    for output in outputs:
        match = NAME.fullmatch(output.get("metadata", {}).get("scrapbook", {}).get("name", ""))
        text = output.get("data", {}).get("application/papermill.record/text/plain", "")
        if match and text:
            found.setdefault(int(match[1]), {})[match[2]] = ast.literal_eval("".join(text))
    return found


def decided(claims, found):
    """({claim: what its chapter keeps of it}, what is wrong).

    `found` has what each chapter keeps, by its number.
    """
    kept = {
        number: found[claim.chapter][number]
        for number, claim in claims.items()
        if "verdict" in found.get(claim.chapter, {}).get(number, {})
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
        if number not in kept
    ]
    problems += [
        f"chapter {claims[number].chapter} keeps {of_claim['verdict']!r} on claim {number}, which "
        "is no verdict"
        for number, of_claim in kept.items()
        if of_claim["verdict"] not in WORDS
    ]
    return kept, problems


def tally(kept):
    """One sentence that counts the verdicts."""
    counts = Counter(of_claim["verdict"] for of_claim in kept.values())
    *parts, last = [f"{counts[word]} {word}" for word in WORDS if counts[word]]
    return f"**Of {len(kept)} claims: {', '.join(parts)} and {last} in this build.**"


def badge(number, word):
    """The badge of a claim, as SVG."""
    sign, color = WORDS[word]
    left, right = f"claim {number}", f"{sign} {word}"
    widths = [10 + 7 * len(text) for text in (left, right)]
    total, label = sum(widths), html.escape(f"{left}: {word}")
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" \
aria-label="{label}">
<title>{label}</title>
<rect width="{total}" height="20" rx="3" fill="#333333"/>
<rect x="{widths[0]}" width="{widths[1]}" height="20" rx="3" fill="{color}"/>
<g fill="#ffffff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{widths[0] / 2}" y="14">{left}</text>
<text x="{widths[0] + widths[1] / 2}" y="14">{html.escape(right)}</text>
</g>
</svg>
"""


def as_json(claims, kept, pages):
    """All claims with what was found of them, as plain values."""
    return [
        {
            "number": number,
            "statement": claim.statement,
            "place": claim.place,
            "rule": claim.rule,
            "verdict": kept[number]["verdict"],
            "where": kept[number].get("where", ""),
            "evidence": kept[number]["evidence"],
            "to_decide": kept[number].get("needed"),
            "verdicts": json.loads(kept[number].get("record", "[]")),
            "page": f"notebooks/{pages[claim.chapter]}.html"
            + (f"#{claim.figure}" if claim.figure else ""),
            "badge": f"badges/claim-{number}.svg",
        }
        for number, claim in claims.items()
    ]


def write_claims(app, exception):
    """claims.json and the badges, where every chapter kept its verdicts."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = Path(app.srcdir), Path(app.outdir)
    claims = read_claims(source / "book" / "claims.yml")
    kept, problems = decided(claims, _found(source))
    if problems:
        return  # the tally says so, or this build has no executed chapters
    text = json.dumps(as_json(claims, kept, _pages(source)), indent=1, ensure_ascii=False)
    (target / "claims.json").write_text(text + "\n", encoding="utf-8")
    (target / "badges").mkdir(exist_ok=True)
    for number, of_claim in kept.items():
        path = target / "badges" / f"claim-{number}.svg"
        path.write_text(badge(number, of_claim["verdict"]), encoding="utf-8")


def _chapters(source):
    """{number: path} of the chapters."""
    paths = sorted((source / "notebooks").glob("[0-9]*.ipynb"))
    return {int(path.stem.split("-")[0]): path for path in paths}


def _pages(source):
    return {number: path.stem for number, path in _chapters(source).items()}


def _found(source):
    return {
        number: glued_claims(json.loads(path.read_text(encoding="utf-8")))
        for number, path in _chapters(source).items()
    }


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
    verdict = glue(page=page, number=claim.number, what="verdict")
    if claim.runs:
        saw += f". To decide: {glue(page=page, number=claim.number, what='needed')}."
        verdict += " " + glue(page=page, number=claim.number, what="where")
    return f"* - {claim.number}\n  - {claim.statement}\n  - {verdict}\n  - {saw}\n"


class Listed:
    """What a directive or role needs of the list and of the chapters; `env` is Sphinx's."""

    def claims(self):
        path = Path(self.env.srcdir) / "book" / "claims.yml"
        self.env.note_dependency(str(path))
        return read_claims(path)

    def pages(self):
        return _pages(Path(self.env.srcdir))


class ClaimsTally(SphinxDirective, Listed):
    """One sentence, or a line that says why there is none."""

    def run(self):
        source = Path(self.env.srcdir)
        for path in _chapters(source).values():
            self.env.note_dependency(str(path))
        found = _found(source)
        if not any(found.values()):
            return self.parse_text_to_nodes(
                "This build did not count the verdicts; `make book` does."
            )
        kept, problems = decided(self.claims(), found)
        if problems:
            raise self.error("; ".join(problems))
        return self.parse_text_to_nodes(tally(kept))


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
    app.connect("build-finished", write_claims)
    app.add_directive("claims-tally", ClaimsTally)
    app.add_directive("claims-table", ClaimsTable)
    app.add_role("verdict", Verdict())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
