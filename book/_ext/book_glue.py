"""Write a page again when a chapter that it takes values from has changed.

A glued value of another page is filled in when the page is written, and Sphinx writes only pages
whose own source changed: the claims would go on showing the last build's numbers.
"""

from pathlib import Path


def dependants(app, env, added, changed, removed):
    if not any(name.startswith("notebooks/") for name in added | changed | removed):
        return []
    return [
        name
        for name in env.found_docs
        if ".ipynb::" in Path(env.doc2path(name)).read_text(encoding="utf-8")
    ]


def setup(app):
    app.connect("env-get-outdated", dependants)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
