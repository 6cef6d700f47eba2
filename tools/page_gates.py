"""Gates on the HTML: each takes the site's folder and returns a list of problems.

They hold whatever made the page: a notebook, MyST, raw HTML in an output, the theme. A file is read
once: its facts are kept in KNOWN. What is asked of the facts is asked of all, each time.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypedDict
from urllib.parse import unquote, urlsplit

import bs4
from bs4 import BeautifulSoup, Tag

from companion.processors import available_processors

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


class Facts(TypedDict):
    """What the gates ask of a page."""

    elsewhere: list[str]  # what showing it makes a browser fetch from other hosts
    links: list[str]
    anchors: list[str]  # what a link can end in `#` with
    leads_on: str  # where it leads by itself, empty if it does not
    pictures: list[str]  # that it shows from the site itself
    undescribed: list[str]
    stand_in: bool  # made from stand-in data


# By the digest of a page and of what looks at it: neither an edited page nor an edited gate finds
# old facts here.
KNOWN: dict[str, Facts] = {}
LOOKER = Path(__file__).read_bytes() + bs4.__version__.encode()


def mark(page: Path) -> str:
    """The name of a page's facts."""
    return hashlib.sha256(LOOKER + page.read_bytes()).hexdigest()


def facts(page: Path) -> Facts:
    """Those of a page, which is parsed if they are not known."""
    name = mark(page)
    if name not in KNOWN:
        KNOWN[name] = look(page)
    return KNOWN[name]


def look(path: Path) -> Facts:
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = page.find("article") or page.find("main") or page  # what the author wrote
    assert isinstance(article, Tag)
    refresh = page.find("meta", attrs={"http-equiv": re.compile("refresh", re.I)})
    leads_on = value(refresh, "content").partition("=")[2].strip() if refresh else ""
    ids = {value(tag, "id") for tag in page.find_all(id=True)}
    shown = [s for s in values(page, "img", "src") if s and not s.startswith(("data:", "blob:"))]
    return Facts(
        elsewhere=list(dict.fromkeys(filter(is_elsewhere, loaded(page)))),
        links=[link for link in [*values(page, "a", "href"), leads_on] if link],
        anchors=sorted(ids | set(values(page, "a", "name"))),
        leads_on=leads_on,
        pictures=[source for source in shown if not is_elsewhere(source)],
        undescribed=list(undescribed(article)),
        stand_in=article.find(class_="stand-in") is not None,
    )


def pages(site: Path) -> list[Path]:
    """Every page of the site."""
    all_html = sorted(site.rglob("*.html"))
    return [page for page in all_html if not NO_PAGES & set(page.relative_to(site).parts)]


def value(tag: Tag, attribute: str) -> str:
    """An attribute's text, empty where there is none."""
    found = tag.get(attribute) or ""
    return found if isinstance(found, str) else " ".join(found)


def values(page: BeautifulSoup, name: str, attribute: str) -> list[str]:
    """Each text of an attribute on the page's elements of this name, once, in order."""
    return list(dict.fromkeys(value(tag, attribute) for tag in page.find_all(name)))


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


def undescribed(article: Tag) -> Iterator[str]:
    """Pictures in an article without alt text, or from a cell without caption."""
    for picture in article.find_all("img"):
        source, alt = value(picture, "src").strip(), value(picture, "alt").strip()
        # Where docutils is given no alt text, it writes the picture's address.
        if alt in ("", source) or re.fullmatch(r"\S+\.(png|svg|jpe?g|gif|webp)", alt):
            yield f"{source[:60]} has no alt text"
        if picture.find_parent(class_="cell_output"):
            figure = picture.find_parent("figure")
            caption = figure and figure.find("figcaption")
            if not caption or not caption.get_text(strip=True):
                yield f"{source[:60]} has no caption"


def loads_from_elsewhere(site: Path) -> Iterator[str]:
    """No page and no style sheet fetches a script, style, font or picture from another host."""
    found = {page: facts(page)["elsewhere"] for page in pages(site)}
    for sheet in sorted(site.rglob("*.css")):
        addresses = css_addresses(sheet.read_text(encoding="utf-8", errors="replace"))
        found[sheet] = list(dict.fromkeys(filter(is_elsewhere, addresses)))
    for file, addresses in found.items():
        yield from (f"{file.relative_to(site)}: loads {address}" for address in addresses)


def dead_links(site: Path) -> Iterator[str]:
    """Every link within the site leads to a file that is there, and to an anchor that is on it."""
    known = {page.resolve(): facts(page) for page in pages(site)}
    anchors = {page: set(of_page["anchors"]) for page, of_page in known.items()}
    for page, of_page in known.items():
        for link in of_page["links"]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":  # "#": a button of the theme
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if target.is_dir():
                target = target / "index.html"
            name = page.relative_to(site.resolve())
            if not target.is_file():
                yield f"{name}: {link} leads nowhere"
            elif parts.fragment and unquote(parts.fragment) not in anchors.get(target, ()):
                yield f"{name}: {link} has no such anchor"


def undescribed_pictures(site: Path) -> Iterator[str]:
    """Every picture in an article has alt text; every picture that a cell shows has a caption."""
    for page in pages(site):
        yield from (f"{page.relative_to(site)}: {one}" for one in facts(page)["undescribed"])


def missing_pictures(site: Path) -> Iterator[str]:
    """Every picture that a page shows from the site is there."""
    for page in pages(site):
        for source in facts(page)["pictures"]:
            if not (page.parent / unquote(urlsplit(source).path)).is_file():
                yield f"{page.relative_to(site)}: the picture {source} is not there"


def stand_ins(site: Path) -> Iterator[str]:
    """None is made from stand-in data, where PATCHINIT_REQUIRE_DATA asks for the real ones."""
    for page in pages(site):
        if os.environ.get("PATCHINIT_REQUIRE_DATA") and facts(page)["stand_in"]:
            yield f"{page.relative_to(site)}: made from stand-in data"


SITE = (loads_from_elsewhere, dead_links, undescribed_pictures, missing_pictures, stand_ins)


def problems(site: Path) -> list[str]:
    """What is wrong with the site."""
    new = {name: page for page in pages(site) if (name := mark(page)) not in KNOWN}
    with ProcessPoolExecutor(available_processors()) as pool:
        KNOWN.update(zip(new, pool.map(look, new.values()), strict=True))
    return [problem for gate in SITE for problem in gate(site)]
