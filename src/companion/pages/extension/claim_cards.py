"""What the executed chapters keep of the claims, and what is made of it without Sphinx."""

import ast
import html
import json
import re
from collections import Counter
from collections.abc import Mapping

from ...claims import UNDECIDED, WAITING, WORDS, Claim

Claims = Mapping[int, Claim]  # by number
Kept = dict[int, dict[str, str]]  # by claim, what its chapter keeps of it, by what that is

NAME = re.compile(r"claim_(\d+)_(verdict|where|evidence|needed|record)")


def of_claims(glued: Mapping[str, str]) -> Kept:
    """{claim: {what: text}} from {name: what Python prints of the value} of a chapter."""
    found: Kept = {}
    for name, text in glued.items():
        if match := NAME.fullmatch(name):
            found.setdefault(int(match[1]), {})[match[2]] = ast.literal_eval(text)
    return found


def decided(claims: Claims, found: Mapping[int, Kept]) -> tuple[Kept, list[str]]:
    """({claim: what its chapter keeps of it}, what is wrong), from what each chapter keeps."""
    problems = [
        f"chapter {chapter} keeps a verdict on claim {number}, which is no claim"
        for chapter, of_chapter in found.items()
        for number in of_chapter
        if number not in claims
    ]
    kept: Kept = {}
    for number, claim in claims.items():
        of_claim = found.get(claim.chapter, {}).get(number, {})
        if "verdict" in of_claim:
            kept[number] = of_claim
            if (word := of_claim["verdict"]) not in WORDS:
                what = f"keeps {word!r} on claim {number}, which is no verdict"
                problems.append(f"chapter {claim.chapter} {what}")
        else:
            what = f"keeps no verdict on claim {number}, which it is to decide"
            problems.append(f"chapter {claim.chapter} {what}")
    return kept, problems


def tally(claims: Claims, kept: Kept) -> str:
    """One sentence that counts the verdicts on the paper's claims."""
    own = {n: of_claim for n, of_claim in kept.items() if claims[n].of_the_paper}
    counts = Counter(
        WAITING
        if of_claim["verdict"] == UNDECIDED and claims[n].runs
        else WORDS[of_claim["verdict"]]
        for n, of_claim in own.items()
    )
    order = [how for word, how in WORDS.items() if word != UNDECIDED] + [WAITING, WORDS[UNDECIDED]]
    *first, last = [word.counted.format(counts[word]) for word in order if counts[word]]
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"Of the paper’s {len(own)} claims, in this build: {listed}."


def strip(claims: Claims, kept: Kept, page: str) -> str:
    """A square for each of the paper's claims that leads to its card on `page`, in HTML."""
    squares = []
    for number, of_claim in kept.items():
        if not claims[number].of_the_paper:
            continue
        word = of_claim["verdict"]
        label = html.escape(f"Claim {number}: {word}: {claims[number].statement}", quote=True)
        squares.append(
            f'<li><a class="{css_class(word)}" href="{page}#claim-{number}" aria-label="{label}" '
            f'title="{label}"><b>{number}</b> <span>{WORDS[word].sign}</span></a></li>'
        )
    return f'<ul class="claims-strip" aria-label="All claims">{"".join(squares)}</ul>'


def css_class(word: str) -> str:
    return f"verdict-{word.replace(' ', '-')}"


def badge(number: int, word: str) -> str:
    """The badge of a claim, as SVG."""
    sign, color = WORDS[word].sign, WORDS[word].color
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


def as_json(claims: Claims, kept: Kept, pages: Mapping[int, str]) -> list[dict]:
    """All claims with what was found of them, as plain values."""
    return [
        {
            "number": number,
            "statement": claim.statement,
            "place": claim.place,
            "rule": claim.rule,
            "verdict": kept[number]["verdict"],
            "in_words": claim.meaning(kept[number]["verdict"]),
            "where": kept[number].get("where", ""),
            "evidence": kept[number]["evidence"],
            "to_decide": kept[number].get("needed"),
            "verdicts": json.loads(kept[number].get("record", "[]")),
            "page": f"notebooks/{pages[claim.chapter]}.html"
            + (f"#{claim.figure}" if claim.figure else ""),
            "card": f"book/claims.html#claim-{number}",
            "badge": f"badges/claim-{number}.svg",
        }
        for number, claim in claims.items()
    ]
