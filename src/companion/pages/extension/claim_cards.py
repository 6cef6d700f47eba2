"""What the executed chapters keep of the claims, and what is made of it without Sphinx."""

import ast
import html
import json
import re
from collections import Counter

NAME = re.compile(r"claim_(\d+)_(verdict|where|evidence|needed|record)")
# Every word for a claim, with the sign and the colour of its badge (white text, 4.5 to 1 or more).
WORDS = {
    "supported": ("✓", "#1a6b3c"),
    "contradicted": ("✗", "#a3242b"),
    "not supported": ("✗", "#a3242b"),
    "no practical difference": ("=", "#6b4b00"),
    "mixed": ("±", "#6a3d9a"),
    "undecided": ("?", "#555555"),
    "described": ("i", "#24578f"),
}
# What a verdict means, where the list of claims has no sentence for it.
MEANING = {
    "supported": "Our rule is met.",
    "contradicted": "The whole interval lies on the other side of what is claimed.",
    "not supported": "Our rule is not met.",
    "no practical difference": "The whole interval lies within the margin that we call none.",
    "mixed": "The outcome is not the same everywhere.",
    "undecided": "What was computed does not settle it.",
    "described": "There is no agreed measure, so there are numbers and no verdict.",
}
WAITING = "The training runs that would decide it are not all in, or cannot tell."
COUNTED = {
    "supported": "{} supported",
    "contradicted": "{} contradicted",
    "not supported": "{} not supported",
    "no practical difference": "{} without a practical difference",
    "mixed": "{} with mixed outcomes",
    "described": "{} described without a verdict",
    "waiting": "{} left to training runs that have not decided them yet",
    "undecided": "{} left undecided by what was computed",
}


def of_claims(glued):
    """{claim: {what: text}} from {name: what Python prints of the value} of a chapter."""
    found = {}
    for name, text in glued.items():
        if match := NAME.fullmatch(name):
            found.setdefault(int(match[1]), {})[match[2]] = ast.literal_eval(text)
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


def tally(claims, kept):
    """One sentence that counts the verdicts."""
    words = [
        "waiting" if of_claim["verdict"] == "undecided" and claims[n].runs else of_claim["verdict"]
        for n, of_claim in kept.items()
    ]
    counts = Counter(words)
    parts = [text.format(counts[word]) for word, text in COUNTED.items() if counts[word]]
    *first, last = parts
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"Of the paper’s {len(kept)} claims, in this build: {listed}."


def plainly(claim, word):
    """One sentence on a claim with this verdict: the list's, or what the verdict means."""
    waiting = word == "undecided" and claim.runs
    return claim.plain.get(word) or (WAITING if waiting else MEANING[word])


def strip(claims, kept, page):
    """A square for each claim that leads to its card on `page`, in HTML."""
    squares = []
    for number, of_claim in kept.items():
        word = of_claim["verdict"]
        label = html.escape(f"Claim {number}: {word}: {claims[number].statement}", quote=True)
        squares.append(
            f'<li><a class="{css_class(word)}" href="{page}#claim-{number}" aria-label="{label}" '
            f'title="{label}"><b>{number}</b> <span>{WORDS[word][0]}</span></a></li>'
        )
    return f'<ul class="claims-strip" aria-label="All claims">{"".join(squares)}</ul>'


def css_class(word):
    return f"verdict-{word.replace(' ', '-')}"


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
            "in_words": plainly(claim, kept[number]["verdict"]),
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
