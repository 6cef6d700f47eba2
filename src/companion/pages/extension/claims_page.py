"""The claims of book/claims.yml on the pages, with what the chapters found of them.

The role `verdict` is a badge that leads to a claim's card; the directive `claims-cards` makes the
cards of one group, `claims-strip` a square for each claim, `claims-tally` a sentence that counts
the verdicts, `claims-legend` says what each badge means, and the substitution `n_claims` is their
number. A build in which a chapter keeps a verdict on a claim that is not in the list, or none on
one that the list gives to it, fails. Beside the pages stand claims.json, for machines, and a badge
for each claim.
"""

import json
from pathlib import Path

from docutils import nodes
from myst_nb.ext.glue.crossref import read_glue_cache
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from ..claim_list import read_claims
from .claim_cards import MEANING, WORDS, as_json, badge, css_class, decided, of_claims, plainly
from .claim_cards import strip as strip_of
from .claim_cards import tally as tally_of

PAGE = "book/claims"  # that has the cards
LOGGER = logging.getLogger(__name__)


class later(nodes.General, nodes.Element):
    """What can only be said once all chapters are read: `what`, on claim `number`."""


def pages_of(source):
    """{number: name} of the chapters."""
    paths = sorted((source / "notebooks").glob("[0-9]*.ipynb"))
    return {int(path.stem.split("-")[0]): path.stem for path in paths}


def found_in(app):
    """(claims, what is kept of each, what is wrong), from what MyST-NB keeps of the chapters."""
    claims = read_claims(Path(app.srcdir) / "book" / "claims.yml")
    found = {}
    for number, name in pages_of(Path(app.srcdir)).items():
        cache = read_glue_cache(app.env.mystnb_config.output_folder, f"notebooks/{name}")
        texts = {name: kept["data"].get("text/plain", "") for name, kept in cache.items()}
        found[number] = of_claims(texts)
    return claims, *decided(claims, found)


class SayVerdicts(SphinxPostTransform):
    """Puts badges, squares and sentences where they were asked for."""

    default_priority = 500

    def run(self, **kwargs):
        places = list(self.document.findall(later))
        if not places:
            return
        # The chapters' outputs are read once for all pages of a build, in each of its processes.
        if not hasattr(self.app, "found_of_claims"):
            self.app.found_of_claims = found_in(self.app)
        claims, kept, problems = self.app.found_of_claims
        for place in places:
            if problems and place["what"] in ("strip", "tally"):
                LOGGER.warning("; ".join(problems), location=place)
            made = getattr(self, place["what"])(place["number"], claims, kept)
            place.replace_self(made)

    def address(self):
        return self.app.builder.get_relative_uri(self.env.docname, PAGE)

    def verdict(self, number, claims, kept):
        word = kept.get(number, {}).get("verdict")
        if word not in WORDS:
            return nodes.inline("", "not in this build")
        on_its_card = self.env.docname == PAGE
        kind = nodes.inline if on_its_card else nodes.reference
        made = kind(
            "", "", nodes.inline("", WORDS[word][0]), nodes.Text(f" {word}"),
            classes=["verdict", css_class(word)],
        )  # fmt: skip
        if not on_its_card:
            made["internal"], made["refuri"] = True, f"{self.address()}#claim-{number}"
            made["reftitle"] = f"Claim {number}: {claims[number].statement}"
        return made

    def plain(self, number, claims, kept):
        word = kept.get(number, {}).get("verdict")
        return nodes.Text(plainly(claims[number], word) if word in WORDS else "Not in this build.")

    def tally(self, number, claims, kept):
        return nodes.paragraph("", tally_of(claims, kept) if kept else "Not in this build.")

    def strip(self, number, claims, kept):
        known = {n: of_claim for n, of_claim in kept.items() if of_claim["verdict"] in WORDS}
        return nodes.raw("", strip_of(claims, known, self.address()), format="html")


def write_claims(app, exception):
    """claims.json and the badges, where every chapter kept its verdicts."""
    if exception is not None or app.builder.format != "html":
        return
    claims, kept, problems = found_in(app)
    if problems:
        return  # the tally says so
    target = Path(app.outdir)
    entries = as_json(claims, kept, pages_of(Path(app.srcdir)))
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    (target / "claims.json").write_text(text + "\n", encoding="utf-8")
    (target / "badges").mkdir(exist_ok=True)
    for number, of_claim in kept.items():
        path = target / "badges" / f"claim-{number}.svg"
        path.write_text(badge(number, of_claim["verdict"]), encoding="utf-8")


def body(claim, chapters):
    """A card's text below its verdict, in MyST; `chapters` has each page by its number."""

    def glued(chapter, what):
        return (
            f"{{glue:text}}`../notebooks/{chapters[chapter]}.ipynb::claim_{claim.number}_{what}:s`"
        )

    def seen(chapter, figure):
        link = f"{{doc}}`../notebooks/{chapters[chapter]}`"
        return f"{{numref}}`{figure}` in {link}" if figure else link

    places, evidence = [(claim.chapter, claim.figure)], glued(claim.chapter, "evidence")
    if claim.untrained:
        places.insert(0, (claim.untrained["chapter"], claim.untrained["figure"]))
        untrained = glued(claim.untrained["chapter"], "evidence")
        evidence = f"Untrained: {untrained}\n\nTrained: {evidence}"
    needed = f"To decide\n: {glued(claim.chapter, 'needed')}.\n\n" if claim.runs else ""
    return (
        f"In the paper\n: {claim.place}\n\nOur rule\n: {claim.rule}\n\n{needed}"
        f"See\n: {'; '.join(seen(*place) for place in places)}\n\n"
        f":::{{dropdown}} The evidence in full\n{evidence}\n:::\n"
    )


class Listed:
    """What a directive or role needs of the list of claims; `env` is Sphinx's."""

    def claims(self):
        path = Path(self.env.srcdir) / "book" / "claims.yml"
        self.env.note_dependency(str(path))
        return read_claims(path)


class ClaimsCards(SphinxDirective, Listed):
    """A card for each claim of a group: statement, verdict, a sentence, and all that is behind."""

    required_arguments = 1

    def run(self):
        claims = [c for c in self.claims().values() if c.group == self.arguments[0]]
        if not claims:
            raise self.error(f"no claim of claims.yml is of the group {self.arguments[0]!r}")
        chapters = pages_of(Path(self.env.srcdir))
        return [self.card(claim, chapters) for claim in claims]

    def card(self, claim, chapters):
        number = claim.number
        made = nodes.section(ids=[f"claim-{number}"], classes=["claim"])
        made += nodes.title("", f"Claim {number}: {claim.statement}")
        badge_and_place = nodes.paragraph("", "", later(what="verdict", number=number))
        if claim.runs:
            name = f"../notebooks/{chapters[claim.chapter]}.ipynb::claim_{number}_where:s"
            (paragraph,) = self.parse_text_to_nodes(f" {{glue:text}}`{name}`")
            badge_and_place += [nodes.Text(" "), *paragraph.children]
        made += badge_and_place
        made += nodes.paragraph("", "", later(what="plain", number=number))
        made += self.parse_text_to_nodes(body(claim, chapters))
        return made


class ClaimsStrip(SphinxDirective):
    """A square for each claim."""

    def run(self):
        return [later(what="strip", number=0)]


class ClaimsTally(SphinxDirective):
    """One sentence that counts the verdicts."""

    def run(self):
        return [later(what="tally", number=0)]


class ClaimsLegend(SphinxDirective):
    """Each badge and what it means."""

    def run(self):
        rows = nodes.bullet_list(classes=["legend"])
        for word, (sign, _) in WORDS.items():
            mark = nodes.inline(
                "", "", nodes.inline("", sign), nodes.Text(f" {word}"),
                classes=["verdict", css_class(word)],
            )  # fmt: skip
            text = nodes.paragraph("", "", mark, nodes.Text(f" {MEANING[word]}"))
            rows += nodes.list_item("", text)
        return [rows]


class Verdict(SphinxRole, Listed):
    """The badge of the claim of this number, which leads to its card."""

    def run(self):
        number = int(self.text) if self.text.isdecimal() else self.text
        if number not in self.claims():
            text = f"claim {self.text} is not in claims.yml"
            return [], [self.inliner.reporter.error(text, line=self.lineno)]
        return [later(what="verdict", number=number)], []


def count(app, config):
    """The number of claims, for the text: {{ n_claims }}."""
    claims = read_claims(Path(app.srcdir) / "book" / "claims.yml")
    config.myst_substitutions = {**config.myst_substitutions, "n_claims": len(claims)}


def setup(app):
    app.add_node(later)
    app.connect("config-inited", count)
    app.connect("build-finished", write_claims)
    app.add_post_transform(SayVerdicts)
    app.add_directive("claims-cards", ClaimsCards)
    app.add_directive("claims-strip", ClaimsStrip)
    app.add_directive("claims-tally", ClaimsTally)
    app.add_directive("claims-legend", ClaimsLegend)
    app.add_role("verdict", Verdict())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
