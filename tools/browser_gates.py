"""Gates on the pages in a browser, at the end of tools.gates.

On a wide screen and on a phone, light and dark: no violation of WCAG 2.1's levels A and AA that
axe-core can find, and nothing to scroll sideways but boxes of their own. Of a chapter's height, at
most MOST_CODE is code.
"""

import contextlib
import hashlib
import json
import queue
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from itertools import product
from pathlib import Path

from companion.processors import available_processors
from tools.browser import HEIGHT, WIDTHS, Browser, BrowserError, Page, ready
from tools.files import write_whole
from tools.measure import MEASURE, measure_page
from tools.page_gates import facts, pages

PASSED = Path("_build/looked-at.json")  # pages that passed, and what they looked like
MOST_BROWSERS = 4  # side by side; each takes 0.3 GB
MOST_CODE = 0.20  # of a chapter's height on a wide screen
# All rules of the two levels but those on colours, and these: the dark scheme changes nothing else.
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
STRUCTURE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "rules": {rule: {"enabled": False} for rule in COLOURS["runOnly"]},
}

# What lies under a word is asked of the browser, which takes minutes for a long page's thousands.
# Text of the same colour, size and weight on the same grounds is therefore looked at three times,
SAMPLE = """(view => {
  const grounds = new Map(), seen = window.seenColours ??= new Map();
  const ground = e => {
    if (!e) return "";
    if (!grounds.has(e)) {
      const s = getComputedStyle(e);
      const own = [s.backgroundColor, s.backgroundImage, s.opacity, s.filter, s.position].join();
      const above = ground(e.parentElement);
      grounds.set(e, own === "rgba(0, 0, 0, 0),none,1,none,static" ? above : above + "/" + own);
    }
    return grounds.get(e);
  };
  for (const e of document.body.querySelectorAll("*")) {
    const text = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!text && !e.matches("input, select, textarea") || !e.checkVisibility()) continue;
    const s = getComputedStyle(e), link = e.closest("a");
    const font = [s.fontSize, s.fontWeight, s.textShadow];
    const key = [s.color, ...font, link !== null, ground(e)].join("|");
    const count = (seen.get(key) || 0) + 1;
    if (count > 3) continue;
    seen.set(key, count);
    for (const kept of [e, link || e]) kept.setAttribute(view, kept.dataset.sample = "");
  }
})(%s)"""
# on a page that has nothing else. Before that, words of code that are no sample lose their colour.
PLAIN = """(() => {
  for (const e of document.querySelectorAll(":is(.highlight, dt.sig) :is(span, em, code)"))
    if ([...e.attributes].every(a => a.name === "class")) e.replaceWith(...e.childNodes);
})()"""
THIN = """(() => {
  const kept = new Set();
  for (let e of document.querySelectorAll("[data-sample], link, style"))
    for (; e && !kept.has(e); e = e.parentElement) kept.add(e);
  const prune = e => { for (const c of [...e.children]) kept.has(c) ? prune(c) : c.remove(); };
  prune(document.body);
})()"""

AXE = """(() => {
  const parts = document.querySelectorAll(%s);
  const how = {...%s, resultTypes: ["violations"], preload: false, selectors: false};
  return parts.length === 0 ? [] : axe.run(parts, how).then(found =>
    found.violations.map(v => [v.id, v.help, v.nodes.map(n => n.html)]));
})()"""

# What reaches beyond the screen though no box around it scrolls or cuts it: the innermost first.
SIDEWAYS = """(() => {
  const wide = innerWidth, beyond = [];
  if (document.scrollingElement.scrollWidth <= wide) return beyond;
  for (const e of document.body.querySelectorAll("*")) {
    if (e.getBoundingClientRect().right <= wide + 1) continue;
    let box = e.parentElement;
    while (box && box !== document.body && getComputedStyle(box).overflowX === "visible")
      box = box.parentElement;
    if (!box || box === document.body) beyond.push(e);
  }
  const inner = beyond.filter(e => !beyond.some(other => other !== e && e.contains(other)));
  const name = e => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "")
    + [...e.classList].map(c => "." + c).join("");
  return [...new Set(inner.map(name))].slice(0, 3).concat(inner.length ? [] : ["something"]);
})()"""


def script() -> str:
    """axe-core, from a package that would ask for playwright if it were imported."""
    package = distribution("axe-playwright-python")
    return Path(str(package.locate_file("axe_playwright_python/axe.min.js"))).read_text("utf-8")


def violations(page: Page, rules: dict, among: str = ":root") -> list[str]:
    """One line for each rule that the page breaks `among` some elements, with three places."""
    found = []
    for rule, help_text, nodes in page.run(AXE % (json.dumps(among), json.dumps(rules))):
        places = "; ".join(html[:100].replace("\n", " ") for html in nodes[:3])
        found.append(f"{rule} ({help_text.lower()}), {len(nodes)} times: {places}")
    return found


def look(page: Page, address: str, axe: str) -> list[str]:
    """What is wrong with the page at `address`, in both widths and schemes.

    It is loaded once, on the wide screen: what a script sets to the width that it finds then does
    not fit the phone's.
    """
    page.show(max(WIDTHS), HEIGHT, "light")
    page.open(address)
    found = []
    if "/notebooks/" in address and (code := measure_page(page)["code"]) > MOST_CODE:
        found.append(f"code takes {code:.0%} of the page, and {MOST_CODE:.0%} is the most")
    page.run(axe)
    for width in WIDTHS:
        for scheme in ("dark", "light"):
            page.show(width, HEIGHT, scheme)
            page.run(SAMPLE % json.dumps(f"data-{width}-{scheme}"))
        if beyond := page.run(SIDEWAYS):
            found.append(f"{width} px wide: scrolls sideways for {', '.join(beyond)}")
        page.run(PLAIN)
        found += [f"{width} px wide: {one}" for one in violations(page, STRUCTURE)]
    page.run(THIN)
    for width, scheme in product(WIDTHS, ("light", "dark")):
        page.show(width, HEIGHT, scheme)
        of_view = violations(page, COLOURS, f"[data-{width}-{scheme}]")
        found += [f"{width} px wide, {scheme}: {one}" for one in of_view]
    return found


def look_at_all(site: Path, names: list[str], axe: str) -> dict[str, list[str]]:
    """What is wrong with each of these pages, found by a browser for each processor."""
    waiting, found = queue.SimpleQueue[str](), {}
    for name in names:
        waiting.put(name)

    def look_on() -> None:
        with Browser() as browser, contextlib.suppress(queue.Empty):
            page = browser.page()
            while True:
                name = waiting.get_nowait()
                found[name] = look(page, (site / name).resolve().as_uri(), axe)

    n = min(available_processors(), MOST_BROWSERS, len(names))
    with ThreadPoolExecutor(MOST_BROWSERS) as pool:
        for done in [pool.submit(look_on) for _ in range(n)]:
            done.result()
    return {name: found[name] for name in names}


def problems(site: Path, passed: dict[str, str]) -> list[str]:
    """Everything that a browser shows to be wrong with the pages of `site`, but those that lead on.

    Those whose fingerprints are in `passed`, which is brought up to date, are not looked at again.
    """
    axe = script()
    static = [p for p in sorted((site / "_static").rglob("*")) if p.suffix in (".css", ".js")]
    contents = [path.read_bytes() for path in (Path(__file__), *static)]
    shared = hashlib.sha256(b"".join([axe.encode(), MEASURE.encode(), *contents])).digest()
    now = {
        str(page.relative_to(site)): hashlib.sha256(shared + page.read_bytes()).hexdigest()
        for page in pages(site)
        if not facts(page)["leads_on"]
    }
    new = [name for name in now if passed.get(name) != now[name]]
    found = look_at_all(site, new, axe)
    passed.clear()
    passed.update({name: mark for name, mark in now.items() if not found.get(name)})
    return [f"{name}, {problem}" for name in found for problem in found[name]]


def run(site: Path, *, anew: bool) -> None:
    """Look at the pages that have not passed yet, or at all; a fault ends the process."""
    if not ready("The pages are not looked at"):
        return
    known = PASSED.is_file() and not anew
    passed = json.loads(PASSED.read_text(encoding="utf-8")) if known else {}
    print("Looking at the pages in a browser", flush=True)
    try:
        found = problems(site, passed)
    except BrowserError as error:
        sys.exit(f"The pages could not be looked at: {error}")
    write_whole(PASSED, json.dumps(passed, indent=1))
    if found:
        sys.exit("\n  ".join(["In a browser, the book has problems:", *found]))
    print(f"In a browser: {len(passed)} pages passed")
