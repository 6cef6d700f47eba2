"""What a page asks of its reader, on a wide screen and on a phone: python -m tools.measure [SITE]

Of each chapter of a built site, this book's or an older one's: words of prose, and for both widths
the height, its shares of code and figures, and the printed lines that are cut off at the edge.
"""

import itertools
import sys
from pathlib import Path

from tools.browser import HEIGHT, WIDTHS, Browser, BrowserError, Page, ready
from tools.gates import SITE

# Code is what a cell shows, and the bar of what it folds; a box within a box counts once.
MEASURE = """(() => {
  const article = document.querySelector("article") || document.body;
  const seen = e => e.checkVisibility();  // not within a fold that is shut
  const height = selector => {
    const all = [...article.querySelectorAll(selector)].filter(seen);
    return all.filter(e => !all.some(o => o !== e && o.contains(e)))
      .reduce((sum, e) => sum + e.getBoundingClientRect().height, 0);
  };
  const cut = pre => {
    const style = getComputedStyle(pre), probe = document.createElement("span");
    if (style.whiteSpace !== "pre") return 0;
    const text = pre.textContent;
    probe.textContent = "0".repeat(100);
    pre.append(probe);
    const letter = probe.getBoundingClientRect().width / 100;
    probe.remove();
    const wide = pre.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return text.split("\\n").filter(line => line.length * letter > wide + 1).length;
  };
  const prose = article.cloneNode(true);
  const other = ".cell, pre, script, style, nav, mjx-container";
  for (const e of prose.querySelectorAll(other)) e.remove();
  const whole = article.getBoundingClientRect().height;
  return {
    words: prose.textContent.split(/\\s+/).filter(word => /[\\p{L}\\p{N}]/u.test(word)).length,
    height: Math.round(whole),
    code: height(".cell_input, details.hide > summary, .highlight:not(.cell_output *)") / whole,
    figures: height("figure, .cell_output img, .cell_output canvas, .cell_output svg") / whole,
    cut: [...article.querySelectorAll("pre")].filter(seen).reduce((sum, e) => sum + cut(e), 0),
  };
})()"""
HEAD = "chapter                        words" + "".join(
    f"{f'{width} px':>12}{'code':>6}{'figures':>9}{'cut':>5}" for width in WIDTHS
)
CELLS = "{height:>12,}{code:>6.0%}{figures:>9.0%}{cut:>5}"


def measure_page(page: Page) -> dict:
    """Words, height, shares of code and figures, and cut lines of the page that is open."""
    page.load_pictures()
    return page.run(MEASURE)


def measure(site: Path) -> dict[str, list[dict]]:
    """{chapter: what was measured at each of WIDTHS} of a built site."""
    paths = sorted((site / "notebooks").glob("*.html"))
    found: dict[str, list[dict]] = {path.stem: [] for path in paths}
    with Browser() as browser:
        page = browser.page()
        for path, width in itertools.product(paths, WIDTHS):
            page.show(width, HEIGHT, "light")
            page.open(path.resolve().as_uri())
            found[path.stem].append(measure_page(page))
    return found


def main() -> None:
    site = Path(*(sys.argv[1:] or [str(SITE)]))
    if not (site / "notebooks").is_dir():
        sys.exit(f"SITE={str(site)!r} has no folder notebooks; build the book, or name another")
    if not ready("Nothing is measured"):
        sys.exit(1)
    try:
        measured = measure(site)
    except BrowserError as error:
        sys.exit(f"The pages could not be measured: {error}")
    print(HEAD)
    for name, at_widths in measured.items():
        print(f"{name:<30}{at_widths[0]['words']:>6,}{''.join(map(CELLS.format_map, at_widths))}")


if __name__ == "__main__":
    main()
