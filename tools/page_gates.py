"""Gates on the HTML: each takes the site's folder and returns a list of problems.

They hold whatever made the page: a notebook, MyST, raw HTML in an output, the theme.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import cache, wraps
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

CSS_ADDRESS = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)|@import\s+['"]([^'"]+)['"]""")
# In a script: a complete address of something that a page can load.
SCRIPT_ADDRESS = re.compile(r"""(?:https?:)?//[^\s'"`]+\.(?:m?js|css|woff2?|ttf|png|svg|json)\b""")
LOADING_RELATIONS = {
    "stylesheet", "icon", "preload", "modulepreload", "prefetch", "manifest", "apple-touch-icon",
}  # fmt: skip
LOADING_ATTRIBUTES = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src",
    "track": "src", "embed": "src", "object": "data", "image": "href", "use": "href",
}  # fmt: skip
# The theme's fragments, and a page that is shown at other addresses: its links begin at the site's
# own, and none leads to a file here.
NO_PAGES = {"_static", "_sources", "404.html"}


def pages(site: Path) -> list[Path]:
    """Every page of the site."""
    all_html = sorted(site.rglob("*.html"))
    return [page for page in all_html if not NO_PAGES & set(page.relative_to(site).parts)]


def each_page(problems_of: Callable[[Path], Iterator[str]]) -> Callable[[Path], list[str]]:
    """The gate on a site that finds on each page what `problems_of` finds on one."""

    @wraps(problems_of)
    def gate(site: Path) -> list[str]:
        found = [(page, problem) for page in pages(site) for problem in problems_of(page)]
        return [f"{page.relative_to(site)}: {problem}" for page, problem in found]

    return gate


@cache  # for all gates
def _parse(page: Path, modified: int) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def parse(page: Path) -> BeautifulSoup:
    return _parse(page, page.stat().st_mtime_ns)


def article(page: Path) -> Tag:
    """The part that the author wrote."""
    soup = parse(page)
    return soup.find("article") or soup.find("main") or soup


def value(tag: Tag, attribute: str) -> str:
    """An attribute's text, empty where there is none."""
    found = tag.get(attribute) or ""
    return found if isinstance(found, str) else " ".join(found)


def values(page: BeautifulSoup, name: str, attribute: str) -> list[str]:
    """Each text of an attribute on the page's elements of this name, once, in order."""
    return list(dict.fromkeys(value(tag, attribute) for tag in page.find_all(name)))


def pictures_of(page: Path) -> list[str]:
    """What the page shows as pictures from the site itself."""
    sources = filter(None, values(parse(page), "img", "src"))
    return [s for s in sources if not (is_elsewhere(s) or s.startswith(("data:", "blob:")))]


def is_elsewhere(address: str) -> bool:
    """True of an address on a host, with or without a scheme; data: and blob: have none."""
    return bool(urlsplit(address.strip()).netloc)


def loaded(soup: BeautifulSoup) -> Iterator[str]:
    """Every address that showing the page makes a browser fetch."""
    for name, attribute in LOADING_ATTRIBUTES.items():
        for tag in soup.find_all(name):
            yield value(tag, attribute) or value(tag, f"xlink:{attribute}")
            parts = value(tag, "srcset").split(",")
            yield from (part.split()[0] for part in parts if part.strip())
    for tag in soup.find_all("link"):
        if LOADING_RELATIONS & set(value(tag, "rel").lower().split()):
            yield value(tag, "href")
    styles = [tag.get_text() for tag in soup.find_all("style")]
    for style in [*styles, *(value(tag, "style") for tag in soup.find_all(style=True))]:
        yield from css_addresses(style)
    for script in soup.find_all("script", src=False):
        yield from SCRIPT_ADDRESS.findall(script.get_text())


def css_addresses(text: str) -> list[str]:
    return [first or second for first, second in CSS_ADDRESS.findall(text)]


def loads_from_elsewhere(site: Path) -> list[str]:
    """No page and no style sheet fetches a script, style, font or picture from another host."""
    addresses = {page: list(loaded(parse(page))) for page in pages(site)}
    for sheet in sorted(site.rglob("*.css")):
        addresses[sheet] = css_addresses(sheet.read_text(encoding="utf-8", errors="replace"))
    return [
        f"{file.relative_to(site)}: loads {address}"
        for file, found in addresses.items()
        for address in dict.fromkeys(found)
        if is_elsewhere(address)
    ]


def anchors(page: Path) -> set[str]:
    """Everything on the page that a link can end in `#` with."""
    soup = parse(page)
    return {value(tag, "id") for tag in soup.find_all(id=True)} | set(values(soup, "a", "name"))


def leads_on(page: Path) -> str:
    """Where a page leads by itself, empty if it does not."""
    refresh = parse(page).find("meta", attrs={"http-equiv": re.compile("refresh", re.I)})
    return value(refresh, "content").partition("=")[2].strip() if refresh else ""


def dead_links(site: Path) -> list[str]:
    """Every link within the site leads to a file that is there, and to an anchor that is on it."""
    problems = []
    known = {page.resolve(): anchors(page) for page in pages(site)}
    for page in pages(site):
        for link in filter(None, [*values(parse(page), "a", "href"), leads_on(page)]):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":  # "#": a button of the theme
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            if target.is_dir():
                target = target / "index.html"
            if not target.is_file():
                problems.append(f"{page.relative_to(site)}: {link} leads nowhere")
            elif parts.fragment and unquote(parts.fragment) not in known.get(target, ()):
                problems.append(f"{page.relative_to(site)}: {link} has no such anchor")
    return problems


@each_page
def undescribed_pictures(page: Path) -> Iterator[str]:
    """Every picture in an article has alt text; every picture that a cell shows has a caption."""
    for picture in article(page).find_all("img"):
        source, alt = value(picture, "src").strip(), value(picture, "alt").strip()
        # Where docutils is given no alt text, it writes the picture's address.
        if alt in ("", source) or re.fullmatch(r"\S+\.(png|svg|jpe?g|gif|webp)", alt):
            yield f"{source[:60]} has no alt text"
        if picture.find_parent(class_="cell_output"):
            figure = picture.find_parent("figure")
            caption = figure and figure.find("figcaption")
            if not caption or not caption.get_text(strip=True):
                yield f"{source[:60]} has no caption"


@each_page
def missing_pictures(page: Path) -> Iterator[str]:
    """Every picture that a page shows from the site is there."""
    for source in pictures_of(page):
        if not (page.parent / unquote(urlsplit(source).path)).is_file():
            yield f"the picture {source} is not there"


@each_page
def stand_ins(page: Path) -> Iterator[str]:
    """It is not made from stand-in data, where PATCHINIT_REQUIRE_DATA asks for the real ones."""
    if os.environ.get("PATCHINIT_REQUIRE_DATA") and article(page).find(class_="stand-in"):
        yield "made from stand-in data"


SITE = (loads_from_elsewhere, dead_links, undescribed_pictures, missing_pictures, stand_ins)
