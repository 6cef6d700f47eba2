"""What a page has around its text: a description and a card for whoever links to it, an address.

The address is known where PATCHINIT_SITE gives it, or where the book has a repository on GitHub.
Without it there is no sitemap, no page for addresses that lead nowhere, and no picture in cards.
"""

import io
import os
import re
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

from .site import repository
from .thumbnails import alt_of, figure_of, picture

CARD = "fig-gallery"  # the figure on the card: the banks of filters side by side
SIZE = (1200, 630)  # of a card, in pixels
# Scheme, host and folder of https://book.example.org:443/folder/index.html
ADDRESS = re.compile(
    r"""(https?://)?
    (?(1)|(?=localhost\b|[^/:]*\.(?!html?\b)))  # a word without scheme and dot: a folder here
    ([a-z\d-]+(?:\.[a-z\d-]+)*(?::\d+)?)
    ((?:/(?!\.{1,2}(?:/|$)|[^/]*\.html?(?:/|$))(?:[\w.~!$&'()*+,;=:@-]|%[a-f\d]{2})+)*)
    /*(?:/index\.html?)?/*""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
LENGTH = 200  # of a description, in characters: what search engines show


def address(folder: str | os.PathLike[str]) -> str:
    """Where the book in `folder` is published, with a slash at its end, or nothing.

    Raises ConfigError for a PATCHINIT_SITE that is no address of a folder on the web.
    """
    if given := os.environ.get("PATCHINIT_SITE", "").strip():
        match = ADDRESS.fullmatch(given)
        if not match:
            raise ConfigError(
                f"PATCHINIT_SITE is {given!r}, which is not the address of a folder on the web: "
                "give it like https://book.example.org/folder, without a user, a query or a page's "
                "name, and with other characters as %XX; or unset it"
            )
        return f"{(match[1] or 'https://').lower()}{match[2].lower()}{match[3]}/"
    match = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+)", repository(folder)[0])
    if not match:
        return ""
    owner, name = match[1].lower(), match[2]
    own = f"https://{owner}.github.io/"
    return own if name.lower() == f"{owner}.github.io" else f"{own}{name}/"


def add_address(app: Sphinx, base: str) -> None:
    """Set up what a book at the address `base` has besides its pages."""
    app.setup_extension("sphinx_sitemap")
    app.config.sitemap_url_scheme = "{link}"  # the language would stand in it otherwise
    left_out = ("404", "genindex", "py-modindex", "search")
    app.config.sitemap_excludes = [f"{name}.html" for name in left_out]
    # The sitemap lists the pages that are written, so all are.
    app.connect("env-updated", lambda app, env: env.found_docs)
    app.setup_extension("notfound.extension")
    app.config.notfound_urls_prefix = urlsplit(base).path  # with a slash at both ends
    app.config.notfound_context = {
        "title": "Page not found",
        "body": f'<h1>Page not found</h1><p>There is no page here. <a href="{base}">The book</a> '
        "has its contents, and a search.</p>",
    }


def description(doctree: nodes.document | None, site: str) -> str:
    """The first paragraph of a page, as far as whole words fit; `site` where it has none."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(paragraph.astext().split())
            return text if len(text) <= LENGTH else text[:LENGTH].rsplit(" ", 1)[0] + " …"
    return site


def tags(properties: dict[str, str]) -> str:
    """The elements of a page's head: Open Graph's have a property, the others a name."""
    return "\n".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" '
        f'content="{escape(content)}" />'
        for name, content in properties.items()
        if content
    )


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Meta tags of a page; what the theme gets wrong in its title and its body."""
    base, book = app.config.html_baseurl, app.config.html_title
    root = page == app.config.root_doc
    text = description(doctree, app.config.html_context.get("description", ""))
    title = unescape(re.sub(r"<[^>]+>", "", context.get("title", book)))
    figure = card_figure(app.srcdir) if base else None
    context["metatags"] = context.get("metatags", "") + tags(
        {
            "description": text,
            "og:type": "website" if root else "article",
            "og:site_name": book,
            "og:title": title,
            "og:description": text,
            "og:url": f"{base}{page}.html" if base else "",
            "og:image": f"{base}_static/card.png" if figure else "",
            "og:image:alt": figure[1] if figure else "",
            "twitter:card": "summary_large_image" if figure else "summary",
        }
    )
    if root:
        context["docstitle"] = ""  # or it would be "Book — Book"
    if "body" in context:  # a role that is no longer one: an entry is an item of its list
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


@cache
def card_figure(folder: Path) -> tuple[bytes, str] | None:
    """The figure on the card and its alt text, once its chapter is executed."""
    found = figure_of(folder, CARD)
    png = found and picture(found[2])
    return (png, alt_of(*found[1:])) if found and png else None


def card(png: bytes) -> Image.Image:
    """The figure on a white card, as large as fits."""
    figure = Image.open(io.BytesIO(png)).convert("RGB")
    figure.thumbnail((SIZE[0] - 80, SIZE[1] - 80), Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", SIZE, "white")
    sheet.paste(figure, ((SIZE[0] - figure.width) // 2, (SIZE[1] - figure.height) // 2))
    return sheet


def finish(app: Sphinx, exception: Exception | None) -> None:
    """The files beside the pages: the entrance and, where the address is known, the card."""
    if exception is not None or app.builder.name != "html":
        return
    folder, base = Path(app.outdir), app.config.html_baseurl
    start, title = f"{app.config.root_doc}.html", escape(app.config.html_title)
    (folder / "index.html").write_text(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8" />\n'
        f'<title>{title}</title>\n<meta http-equiv="refresh" content="0; url={start}" />\n</head>\n'
        f'<body><main><h1>{title}</h1><a href="{start}">To the book</a></main></body>\n</html>\n',
        encoding="utf-8",
    )
    if base and (figure := card_figure(app.srcdir)):
        card(figure[0]).save(folder / "_static" / "card.png", optimize=True)


def setup(app: Sphinx) -> None:
    base = address(app.srcdir)
    if base:
        add_address(app, base)

    def set_address(app: Sphinx, config: Config) -> None:
        config.html_baseurl = base

    app.connect("config-inited", set_address, priority=900)  # after what reads _config.yml
    app.connect("html-page-context", describe)
    app.connect("build-finished", finish)
