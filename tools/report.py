"""Print where the book is and what each page costs: python -m tools.report"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tools.gates import EXECUTED, SITE, documents
from tools.page_gates import is_elsewhere, parse

MOST_SECONDS = 90
MOST_MEMORY = 1.5e9  # bytes
MOST_WEIGHT = 1e6  # bytes


def page_weight(page: Path) -> int:
    """Bytes of a page's HTML and of the pictures it shows."""
    sources = {
        tag["src"] for tag in parse(page).find_all("img", src=True) if not is_elsewhere(tag["src"])
    }
    pictures = {
        (page.parent / source).resolve() for source in sources if not source.startswith("data:")
    }
    return page.stat().st_size + sum(
        p.stat().st_size for p in pictures if p.is_file() and "_static" not in p.parts
    )


def marked(value: float, limit: float, unit: float, text: str) -> str:
    """The value in its unit, with a `!` behind it above the limit."""
    return text.format(value / unit) + ("!" if value > limit else " ")


def row(name: str, cost: dict | None, weight: int) -> str:
    seconds = marked(cost["seconds"], MOST_SECONDS, 1, "{:7.1f}") if cost else " " * 8
    memory = marked(cost["peak_memory"], MOST_MEMORY, 1e9, "{:7.2f}") if cost else " " * 8
    return f"{name:<36}{seconds}{memory}{marked(weight, MOST_WEIGHT, 1e6, '{:8.2f}')}"


def main() -> None:
    print(f"\n{'chapter':<36}{'seconds':>7} {'GB':>7} {'page MB':>8}")
    total = 0.0
    for name in documents(yaml.safe_load(Path("_toc.yml").read_text(encoding="utf-8"))):
        record = EXECUTED / f"{name}.json"
        cost = json.loads(record.read_text()) if record.is_file() else None
        total += cost["seconds"] if cost else 0
        print(row(name, cost, page_weight(SITE / f"{name}.html")))
    shared = sum(path.stat().st_size for path in (SITE / "_static").rglob("*") if path.is_file())
    print(f"{'all chapters, one after another':<36}{total:7.1f}")
    print(f"Scripts, styles and fonts that all pages share: {shared / 1e6:.1f} MB")
    limits = f"{MOST_SECONDS} s, {MOST_MEMORY / 1e9} GB or {MOST_WEIGHT / 1e6:.0f} MB"
    print(f"! above {limits} (a page's HTML and the pictures it shows)")
    print(f"\nThe book: {(SITE / 'index.html').resolve()}")


if __name__ == "__main__":
    main()
