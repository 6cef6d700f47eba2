"""What a page asks of its reader, on a wide screen and on a phone: python -m tools.measure [SITE]

Of the first page and each chapter of a built site, this book's or an older one's: words of prose,
and for both widths, in pixels, the height, where the first picture begins, shares of code and
figures, printed lines that are cut off at the edge, how far the page reaches beyond the screen,
boxes that scroll sideways, and the size of the smallest letters in figures.
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
  const pictures = "figure, .hero, .cell_output :is(img, canvas, svg)";
  const tops = [...article.querySelectorAll(pictures)].filter(seen)
    .map(e => e.getBoundingClientRect().top + scrollY);
  const scrolls = e => e.scrollWidth > e.clientWidth + 1
    && ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  // "small" in the book's style is 10 points; an SVG has 96 pixels to the inch, a PNG 216, and
  // 144 in older books, which gave it no width.
  const to_the_inch = e => /\\.svg/.test(e.src) ? 96 : e.style.width ? 216 : 144;
  const letters = [...article.querySelectorAll("figure img")].filter(seen).map(e =>
    e.getBoundingClientRect().width / e.naturalWidth * 10 / 72 * to_the_inch(e));
  return {
    first: tops.length ? Math.round(Math.min(...tops)) : null,
    beyond: Math.max(0, document.scrollingElement.scrollWidth - innerWidth),
    scrolls: [...article.querySelectorAll("*")].filter(e => seen(e) && scrolls(e)).length,
    letters: letters.length ? Math.min(...letters) : null,
    words: prose.textContent.split(/\\s+/).filter(word => /[\\p{L}\\p{N}]/u.test(word)).length,
    height: Math.round(whole),
    code: height(".cell_input, details.hide > summary, .highlight:not(.cell_output *)") / whole,
    figures: height("figure, .cell_output img, .cell_output canvas, .cell_output svg") / whole,
    cut: [...article.querySelectorAll("pre")].filter(seen).reduce((sum, e) => sum + cut(e), 0),
  };
})()"""
COLUMNS = {
    "words": ",", "height": ",", "first": ",", "code": ".0%", "figures": ".0%", "cut": "",
    "beyond": "", "scrolls": "", "letters": ".1f",
}  # fmt: skip


def measure_page(page: Page) -> dict:
    """What is measured of the page that is open: see COLUMNS."""
    page.load_pictures()
    return page.run(MEASURE)


def measure(site: Path) -> dict[str, list[dict]]:
    """{page: what was measured at each of WIDTHS} of a built site."""
    paths = [*site.glob("book/index.html"), *sorted((site / "notebooks").glob("*.html"))]
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
    print(f"{'page':<28}{'px':>6}" + "".join(f"{column:>9}" for column in COLUMNS))
    for name, at_widths in measured.items():
        for width, of_page in zip(WIDTHS, at_widths, strict=True):
            found = ((of_page[column], how) for column, how in COLUMNS.items())
            cells = (format(value, how) if value is not None else "-" for value, how in found)
            print(f"{name:<28}{width:>6}" + "".join(f"{cell:>9}" for cell in cells))


if __name__ == "__main__":
    main()
