"""Where the book is and what each page costs, printed at the end of tools.gates."""

from pathlib import Path

from companion.pages.costs import costs
from tools.gates import EXECUTED, SITE, documents
from tools.page_gates import facts

LIMITS = {"seconds": 90, "GB": 1.1, "page MB": 1}


def page_weight(page: Path) -> int:
    """Bytes of a page's HTML and of the pictures it shows."""
    pictures = {(page.parent / source).resolve() for source in facts(page)["pictures"]}
    own = [p for p in pictures if p.is_file() and "_static" not in p.parts]
    return sum(path.stat().st_size for path in [page, *own])


def row(name: str, *values: float | None) -> str:
    """A line of the table, with a `!` behind what is above its limit."""
    cells = [
        f"{'' if value is None else f'{value:.2f}':>9}{'!' if (value or 0) > limit else ' '}"
        for value, limit in zip(values, LIMITS.values(), strict=True)
    ]
    return f"{name:<36}{''.join(cells)}"


def run() -> None:
    taken = costs(EXECUTED / "notebooks")
    print("\n" + f"{'chapter':<36}" + "".join(f"{name:>9} " for name in LIMITS))
    for name in documents():
        seconds, memory = taken.get(Path(name).name, (None, None))
        print(row(name, seconds, memory, page_weight(SITE / f"{name}.html") / 1e6))
    shared = sum(path.stat().st_size for path in (SITE / "_static").rglob("*") if path.is_file())
    total = sum(seconds for seconds, _ in taken.values())
    print(f"{'all chapters, one after another':<36}{total:>9.2f}")
    print(f"Scripts, styles and fonts that all pages share: {shared / 1e6:.1f} MB")
    limits = ", ".join(f"{limit} {name}" for name, limit in LIMITS.items())
    print(f"! above {limits} (a page's HTML and the pictures it shows)")
    print(f"\nThe book: {(SITE / 'index.html').resolve()}")
