"""What this book asks of Sphinx: a table of costs, fresh values, MathJax, launch buttons."""

import functools
import os
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.fileutil import copy_asset

from ..costs import costs

SCRIPT = "tex-chtml.js"  # MathJax's
FONTS = "output/chtml/fonts/woff-v2"
ICONS = re.compile(r"<script[^>]*/fontawesome\.js[^>]*></script>")
FORMULAS = re.compile(
    rf"<script[^>]*(?:{re.escape(SCRIPT)}[^>]*>|>window\.MathJax = [^<]*)</script>"
)
# Glued values: by a role, and by a directive; verdicts and costs come from the chapters too.
GLUED = re.compile(r"\.ipynb::|^:doc: .*\.ipynb$|\{verdict\}|\{claims-|\{chapter-", re.MULTILINE)
# A remote as git takes it, with a scheme (https://github.com/owner/name) or without
# (git@github.com:owner/name); a user or token is dropped.
HOST = r"(?:www\.|ssh\.)?github\.com"
REMOTE = re.compile(
    rf"(?:(?:https?|git|ssh|git\+ssh|ssh\+git)://(?:[^@/\\\s]+@)?{HOST}(?::\d+)?/"
    rf"|(?:[^@:/\\\s]+@)?{HOST}:/?)"
    r"([a-z\d-]+/(?!\.{1,2}(?:/|$))[\w.-]+?)(?:\.git)?/?",
    re.ASCII | re.IGNORECASE,
)
ORIGIN = "refs/remotes/origin/"  # what git knows of its branches
LOGGER = logging.getLogger(__name__)


class ChapterCosts(SphinxDirective):
    """`chapter-costs`: a table of this build, or a line where there is none."""

    def run(self) -> list[nodes.Node]:
        # `make book` builds from _build/stage and keeps its records in _build/executed beside it.
        executed = Path(self.env.srcdir).parent / "executed" / "notebooks"
        rows = [
            f"| {name} | {seconds:.0f} | {memory:.1f} |"
            for name, (seconds, memory) in costs(executed).items()
        ]
        if not rows:
            without = "This build did not record what its chapters cost; `make book` does."
            return self.parse_text_to_nodes(without)
        for record in executed.glob("*.json"):
            self.env.note_dependency(str(record))
        text = "What the chapters took in this build, on one core each, imports aside:\n\n"
        head = ["| chapter | seconds | peak memory (GB) |", "|---|---|---|"]
        return self.parse_text_to_nodes(text + "\n".join([*head, *rows]))


def dependants(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Pages to write again when a chapter has changed: those that show its glued values.

    Sphinx would write only pages whose own source changed.
    """
    if not any(name.startswith("notebooks/") for name in added | changed | removed):
        return []
    return [
        name
        for name in env.found_docs
        if GLUED.search(Path(env.doc2path(name)).read_text(encoding="utf-8"))
    ]


def keep_names(app: Sphinx, document: nodes.document) -> None:
    """Keep the names of a page's link targets, so that the check below reads no page again."""
    targets = {
        name: document.ids.get(document.nameids.get(name))
        for name, explicit in document.nametypes.items()
        if explicit
    }
    app.env.metadata[app.env.docname]["targets"] = [
        name
        for name, target in targets.items()  # a footnote is of the page alone
        if target is not None and not isinstance(target, nodes.footnote | nodes.citation)
    ]


def claimed_twice(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of a target's name on two pages: a link to it leads to either.

    Sphinx itself warns only where the target has a title or a caption.
    """
    pages: dict[str, str] = {}
    for page in sorted(env.found_docs):
        for name in env.metadata[page]["targets"]:
            if pages.setdefault(name, page) != page:
                message = f"the link target {name!r} is on {pages[name]} too: rename one of them"
                LOGGER.warning(message, location=page)


def read_once(app: Sphinx, env: BuildEnvironment) -> None:
    """Let Sphinx read a page once, and not for each figure on it that another page names."""
    domain: Any = env.get_domain("std")
    whole, get_doctree = domain._resolve_numref_xref, functools.cache(env.get_doctree)

    def resolve(env: BuildEnvironment, *rest: Any) -> Any:
        vars(env)["get_doctree"] = get_doctree
        try:
            return whole(env, *rest)
        finally:
            del vars(env)["get_doctree"]

    domain._resolve_numref_xref = resolve  # the environment has been pickled by now


def copy_scripts(app: Sphinx, exception: Exception | None) -> None:
    """Put of MathJax into the book what a page needs: sphinx-mathjax-offline would copy 24 MB.

    And take out what none does.
    """
    if exception is not None or app.builder.format != "html":
        return
    for unused in Path(app.outdir, "_static", "scripts").glob("fontawesome.js*"):
        unused.unlink()
    source = Path(str(files("sphinx-mathjax-offline"))) / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    (target / FONTS).mkdir(parents=True, exist_ok=True)
    copy_asset(str(source / SCRIPT), str(target))
    copy_asset(str(source / FONTS), str(target / FONTS))


def lighten(app: Sphinx) -> None:
    """Load on a page no script that it has no use for: 2.7 of 4.1 MB on the first.

    The theme's icons are drawn by its style sheet, and by a script a second time. Sphinx loads
    MathJax where a page below has a formula, too.
    """
    if app.builder.format != "html":
        return
    templates: Any = app.builder.templates
    whole = templates.render

    def render(template: str, context: dict[str, Any]) -> str:
        page = ICONS.sub("", whole(template, context))
        return page if 'class="math' in page else FORMULAS.sub("", page)

    templates.render = render


def git(folder: str | os.PathLike[str], *arguments: str) -> str:
    """Output of a git command, empty where git or a repository is missing."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def repository(folder: str | os.PathLike[str]) -> tuple[str, str]:
    """(address, branch) on GitHub of the book in `folder`: of the hosted build, else of `origin`.

    The address is empty where there is none: an invented one would lead to somebody else's code.
    So is the branch where none is known to be at `origin`.
    """
    hosted = os.environ.get
    if name := hosted("GITHUB_REPOSITORY"):
        remote = f"{hosted('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
        # A pull request builds from a merge that no reader can open: link to what it goes into.
        branch = hosted("GITHUB_BASE_REF") or hosted("GITHUB_REF_NAME", "main")
    else:
        top = git(folder, "rev-parse", "--show-toplevel")
        if not top or not Path(top, "_toc.yml").is_file():  # unpacked inside another repository
            return "", ""
        remote = git(folder, "remote", "get-url", "origin")
        there = git(folder, "for-each-ref", "--format=%(refname:lstrip=3)", ORIGIN).split()
        head = git(folder, "symbolic-ref", f"{ORIGIN}HEAD").removeprefix(ORIGIN)
        own = git(folder, "rev-parse", "--symbolic-full-name", "@{upstream}").removeprefix(ORIGIN)
        likely = (head, own, git(folder, "branch", "--show-current"), "main", "master")
        branch = next((name for name in likely if name in there), "")
    match = REMOTE.fullmatch(remote)
    return (f"https://github.com/{match[1]}" if match else ""), branch


def set_repository(app: Sphinx, config: Config) -> None:
    """Point the launch buttons at the repository, or leave them out."""
    options = config.html_theme_options
    address, branch = repository(app.srcdir)
    if address and branch:
        options |= {"repository_url": address, "repository_branch": branch}
        buttons = ("use_repository_button", "use_edit_page_button", "use_issues_button")
        options |= {"path_to_docs": "", **dict.fromkeys(buttons, True)}
    else:
        for key in ("repository_url", "repository_branch", "launch_buttons"):
            options.pop(key, None)


def setup(app: Sphinx) -> None:
    app.add_directive("chapter-costs", ChapterCosts)
    app.connect("env-get-outdated", dependants)
    app.connect("doctree-read", keep_names)
    app.connect("env-check-consistency", claimed_twice)
    app.connect("env-check-consistency", read_once)
    app.config.mathjax_path = f"mathjax/{SCRIPT}"
    app.connect("builder-inited", lighten)
    app.connect("build-finished", copy_scripts)
    app.connect("config-inited", set_repository)
