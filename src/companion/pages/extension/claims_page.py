"""The table of claims on the pages, with what the chapters found of them.

A role and directives put them there, and the substitution `n_claims` is their number. A build in
which a chapter keeps a verdict on a claim that is not in the list, or none on one that the list
gives to it, fails. Beside the pages stand claims.json, for machines, and a badge for each claim.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from ...claims import CLAIMS, WORDS, Claim
from . import claim_cards
from .claim_cards import Kept, as_json, badge, badges, css_class, decided, of_claims
from .kept_values import kept_on

PAGE = "book/claims"  # that has the cards
NOT_HERE = "Not in this build."
LOGGER = logging.getLogger(__name__)


class later(nodes.General, nodes.Element):
    """What can only be said once all chapters are read: `what`, on claim `number` or its `half`."""


def pages_of(source: Path) -> dict[int, str]:
    """{number: name} of the chapters."""
    paths = sorted((source / "notebooks").glob("[0-9]*.ipynb"))
    return {int(path.stem.split("-")[0]): path.stem for path in paths}


def found_in(app: Sphinx) -> tuple[Kept, list[str]]:
    """(what is kept of each claim, what is wrong), from what MyST-NB keeps of the chapters."""
    chapters = pages_of(Path(app.srcdir)).items()
    found = {n: of_claims(kept_on(app.env, f"notebooks/{name}")) for n, name in chapters}
    return decided(CLAIMS, found)


_found_once = functools.cache(found_in)  # for all pages of a build, in each of its processes


def mark(
    word: str, kind: type[nodes.TextElement] = nodes.inline, half: str = ""
) -> nodes.TextElement:
    """A badge: the sign of a verdict and its word, behind the name of a half."""
    parts = nodes.inline("", f"{half} {WORDS[word].sign}".strip()), nodes.Text(f" {word}")
    return kind("", "", *parts, classes=["verdict", css_class(word)])


class FillVerdicts(SphinxPostTransform):
    """Puts badges, squares and sentences where they were asked for."""

    default_priority = 500

    def run(self, **kwargs: object) -> None:
        places = list(self.document.findall(later))
        if not places:
            return
        kept, problems = _found_once(self.app)
        for place in places:
            if problems and place["what"] in ("strip", "tally"):
                LOGGER.warning("; ".join(problems), location=place)
            place.replace_self(getattr(self, place["what"])(place, kept))

    def address(self) -> str:
        return self.app.builder.get_relative_uri(self.env.docname, PAGE)

    def verdict(self, place: later, kept: Kept) -> list[nodes.Node]:
        """Badges, each with the places that it holds for."""
        number, on_its_card = place["number"], self.env.docname == PAGE
        of_claim = kept.get(number, {})
        if of_claim.get("verdict") not in WORDS:
            return [nodes.inline("", "not in this build")]
        found = badges(number, of_claim)
        made: list[nodes.Node] = []
        if on_its_card and len(found) > 1:
            made += [mark(of_claim["verdict"]), nodes.Text(" ")]
        for name, word, where in found:
            if place.get("half") not in (None, name):
                continue
            one = mark(
                word, nodes.inline if on_its_card else nodes.reference, name * (len(found) > 1)
            )
            if not on_its_card:
                one["internal"], one["refuri"] = True, f"{self.address()}#claim-{number}"
                one["reftitle"] = f"Claim {name}: {CLAIMS[number].statement}"
            made += [nodes.Text(" "), one] if made else [one]
            if where:
                made += [nodes.Text(" "), nodes.inline("", where, classes=["where"])]
        return made

    def plain(self, place: later, kept: Kept) -> nodes.Node:
        claim, word = CLAIMS[place["number"]], kept.get(place["number"], {}).get("verdict")
        if word not in WORDS:
            return nodes.Text(NOT_HERE)
        # What the rule may say of runs stands below, by place.
        return nodes.Text(claim.plain.get(word, "") if claim.runs else claim.meaning(word))

    def tally(self, place: later, kept: Kept) -> nodes.Node:
        return nodes.paragraph("", claim_cards.tally(CLAIMS, kept) if kept else NOT_HERE)

    def strip(self, place: later, kept: Kept) -> nodes.Node:
        known = {n: of_claim for n, of_claim in kept.items() if of_claim["verdict"] in WORDS}
        return nodes.raw("", claim_cards.strip(CLAIMS, known, self.address()), format="html")


def write_claims(app: Sphinx, exception: Exception | None) -> None:
    """claims.json and the badges, where every chapter kept its verdicts."""
    if exception is not None or app.builder.format != "html":
        return
    kept, problems = found_in(app)
    if problems:
        return  # the tally says so
    target = Path(app.outdir)
    entries = as_json(CLAIMS, kept, pages_of(Path(app.srcdir)))
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    (target / "claims.json").write_text(text + "\n", encoding="utf-8")
    (target / "badges").mkdir(exist_ok=True)
    for number, of_claim in kept.items():
        drawn = {str(number): (of_claim["verdict"], of_claim.get("where", ""))}
        drawn |= {name: (word, where) for name, word, where in badges(number, of_claim)}
        for name, (word, where) in drawn.items():
            path = target / "badges" / f"claim-{name}.svg"
            path.write_text(badge(name, word, where), encoding="utf-8")


def glued(claim: Claim, what: str, chapter: str) -> str:
    """What a chapter keeps of a claim, in MyST."""
    return f"{{glue:text}}`../notebooks/{chapter}.ipynb::claim_{claim.number}_{what}:s`"


def body(claim: Claim, chapters: Mapping[int, str]) -> str:
    """A card's text below its verdict, in MyST; `chapters` has each page by its number."""

    def seen(chapter: int, figure: str | None) -> str:
        link = f"{{doc}}`../notebooks/{chapters[chapter]}`"
        return f"{{numref}}`{figure}` in {link}" if figure else link

    here = chapters[claim.chapter]
    places, evidence = [(claim.chapter, claim.figure)], glued(claim, "evidence", here)
    if claim.untrained:
        places.insert(0, (claim.untrained["chapter"], claim.untrained["figure"]))
        untrained = glued(claim, "evidence", chapters[claim.untrained["chapter"]])
        evidence = f"Untrained: {untrained}\n\nTrained: {evidence}"
    measured = glued(claim, "measured" if claim.runs else "evidence", here)
    lines = {"Measured": measured + "." * claim.runs}
    if claim.runs:
        lines["Decided"] = f"{glued(claim, 'decided', here)}."
    implied = "; the paper implies it and says less" if claim.implied else ""
    lines["In the paper" if claim.of_the_paper else "Seen first in"] = claim.place + implied
    lines["Our rule"] = claim.rule
    if claim.before[0]:
        older, why = claim.before
        lines["An older rule"] = f"{older} It was changed after its result was known: {why}"
    if claim.beyond:
        lines["What we ask beyond it"] = claim.beyond
    if claim.choices:
        link = f"{{doc}}`../notebooks/{here}`"
        lines["Other choices"] = f"{{numref}}`{claim.choices}` in {link}"
    if claim.runs:
        lines["To decide"] = f"{glued(claim, 'needed', here)}."
    lines["See"] = "; ".join(seen(*place) for place in places)
    text = "".join(f"{term}\n: {of_it}\n\n" for term, of_it in lines.items())
    folded = f":::{{dropdown}} The evidence in full\n{evidence}\n:::\n"
    return text + folded * claim.runs


class ClaimsCards(SphinxDirective):
    """A card for each claim of a group: statement, verdict, a sentence, and all that is behind."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        claims = [c for c in CLAIMS.values() if c.group == self.arguments[0]]
        if not claims:
            raise self.error(f"no claim is of the group {self.arguments[0]!r}")
        chapters = pages_of(Path(self.env.srcdir))
        return [self.card(claim, chapters) for claim in claims]

    def card(self, claim: Claim, chapters: Mapping[int, str]) -> nodes.Node:
        number = claim.number
        made = nodes.section(ids=[f"claim-{number}"], classes=["claim"])
        made += nodes.title("", f"Claim {number}: {claim.statement}")
        made += nodes.paragraph("", "", later(what="verdict", number=number))
        if not claim.runs or claim.plain:
            made += nodes.paragraph("", "", later(what="plain", number=number))
        made += self.parse_text_to_nodes(body(claim, chapters))
        return made


class OfAllClaims(SphinxDirective):
    """`claims-strip`: a square for each claim; `claims-tally`: a sentence that counts verdicts."""

    def run(self) -> list[nodes.Node]:
        return [later(what=self.name.removeprefix("claims-"), number=0)]


class ClaimsLegend(SphinxDirective):
    """Each badge and what it means."""

    def run(self) -> list[nodes.Node]:
        rows = nodes.bullet_list(classes=["legend"])
        for word, how in WORDS.items():
            text = nodes.paragraph("", "", mark(word), nodes.Text(f" {how.meaning}"))
            rows += nodes.list_item("", text)
        return [rows]


class Verdict(SphinxRole):
    """The badge of the claim of this number, or of a half ("7a"), which leads to its card."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        digits = self.text.rstrip("ab")
        number = int(digits) if digits.isdecimal() else 0
        halves = (
            {decision.half for decision in CLAIMS[number].decisions} if number in CLAIMS else ""
        )
        half = self.text[len(digits) :]
        if number not in CLAIMS or (half and half not in halves):
            text = f"{self.text} is no claim"
            return [], [self.inliner.reporter.error(text, line=self.lineno)]
        return [later(what="verdict", number=number, half=self.text if half else None)], []


def count(app: Sphinx, config: Config) -> None:
    """The number of the paper's claims, for the text: {{ n_claims }}."""
    n = sum(claim.of_the_paper for claim in CLAIMS.values())
    config.myst_substitutions = {**config.myst_substitutions, "n_claims": n}


def setup(app: Sphinx) -> None:
    app.add_node(later)
    app.connect("config-inited", count)
    app.connect("build-finished", write_claims)
    app.add_post_transform(FillVerdicts)
    app.add_directive("claims-cards", ClaimsCards)
    app.add_directive("claims-strip", OfAllClaims)
    app.add_directive("claims-tally", OfAllClaims)
    app.add_directive("claims-legend", ClaimsLegend)
    app.add_role("verdict", Verdict())
