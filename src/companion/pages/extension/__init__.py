"""What this book adds to Sphinx; each module is an extension that the package sets up."""

from typing import Any

from sphinx.application import Sphinx

MODULES = (
    "claims_page", "rules_table", "thumbnails", "site", "website",
    "kept_values", "chapter_map", "dark_charts", "citations", "expect", "predictions",
    "code_bars", "search", "wrapped_figures", "on_demand",
)  # fmt: skip


def setup(app: Sphinx) -> dict[str, Any]:
    """Set up all of them, in an order that their transforms are made for."""
    for name in MODULES:
        app.setup_extension(f"{__name__}.{name}")
    # Another number wherever modules keep something else of each page: all are read again then.
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
