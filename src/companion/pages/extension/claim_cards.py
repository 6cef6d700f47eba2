"""What the executed chapters keep of the claims, and what is made of it without Sphinx."""

import ast
import html
import json
import re
from collections import Counter
from collections.abc import Mapping

from ...claims import GROUPS, STANDINGS, SUPPORTED, UNDECIDED, WORDS, Claim

Claims = Mapping[int, Claim]  # by number
Kept = dict[int, dict[str, str]]  # by claim, what its chapter keeps of it, by what that is

NAME = re.compile(
    r"claim_(\d+)_(verdict|where|measured|decided|standing|halves|evidence|needed|record)"
)


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


def badges(number: int, of_claim: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(name, word, places) of a claim, or of each of its halves: ("7a", "supported", "(...)")."""
    if "halves" in of_claim:
        return [(name, *half) for name, half in json.loads(of_claim["halves"]).items()]
    return [(str(number), of_claim["verdict"], of_claim.get("where", ""))]


def tally(claims: Claims, kept: Kept) -> str:
    """One sentence that counts the verdicts on the paper's claims."""
    own = {n: of_claim for n, of_claim in kept.items() if claims[n].of_the_paper}

    def kind(number: int, of_claim: Mapping[str, str]) -> str:
        if of_claim["verdict"] == UNDECIDED:
            return of_claim.get("standing", UNDECIDED)
        algebra = claims[number].algebra and of_claim["verdict"] == SUPPORTED
        return "algebra" if algebra else of_claim["verdict"]

    counts = Counter(kind(number, of_claim) for number, of_claim in own.items())
    texts = {SUPPORTED: WORDS[SUPPORTED].counted, "algebra": "{} true by algebra"}
    texts |= {word: how.counted for word, how in WORDS.items() if word != UNDECIDED}
    texts |= STANDINGS | {UNDECIDED: WORDS[UNDECIDED].counted}
    *first, last = [text.format(counts[word]) for word, text in texts.items() if counts[word]]
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"Of the paper’s {len(own)} claims, in this build: {listed}."


def strip(claims: Claims, kept: Kept, page: str) -> str:
    """A square for each of the paper's claims, by group, that leads to its card on `page`: HTML."""
    groups: dict[str, list[str]] = {}
    for number, of_claim in kept.items():
        claim = claims[number]
        if not claim.of_the_paper:
            continue
        found = badges(number, of_claim)
        words = ", ".join(f"{name} {word}" if len(found) > 1 else word for name, word, _ in found)
        signs = "".join(WORDS[word].sign for _, word, _ in found)
        label = html.escape(f"Claim {number}: {words}: {claim.statement}", quote=True)
        groups.setdefault(claim.group, []).append(
            f'<li><a class="{css_class(of_claim["verdict"])}" href="{page}#claim-{number}" '
            f'aria-label="{label}" title="{label}"><b>{number}</b> <span>{signs}</span> '
            f'<span class="short">{html.escape(claim.label)}</span></a></li>'
        )
    lists = [
        f'<div><p id="strip-{group}">{GROUPS[group]}</p>'
        f'<ul aria-labelledby="strip-{group}">{"".join(groups[group])}</ul></div>'
        for group in GROUPS
        if group in groups
    ]
    return f'<div class="claims-strip">{"".join(lists)}</div>'


def css_class(word: str) -> str:
    return f"verdict-{word.replace(' ', '-')}"


def badge(name: str, word: str, where: str = "") -> str:
    """The badge of a claim, or of a half, with the places that it holds for, as SVG."""
    parts = [(f"claim {name}", "#333333"), (f"{WORDS[word].sign} {word}", WORDS[word].color)]
    if where:
        parts.append((where.strip("()"), "#333333"))
    widths = [10 + 7 * len(text) for text, _ in parts]
    label = html.escape(f"claim {name}: {word} {where}".strip())
    drawn, left = [], 0
    for (text, color), width in zip(parts, widths, strict=True):
        drawn.append(
            f'<rect x="{left}" width="{width}" height="20" rx="3" fill="{color}"/>'
            f'<text x="{left + width / 2}" y="14" fill="#ffffff">{html.escape(text)}</text>'
        )
        left += width
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{left}" height="20" role="img" \
aria-label="{label}">
<title>{label}</title>
<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
{chr(10).join(drawn)}
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
            "measured": kept[number].get("measured", kept[number]["evidence"]),
            "decided": kept[number].get("decided", claim.meaning(kept[number]["verdict"])),
            "halves": json.loads(kept[number].get("halves", "null")),
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
