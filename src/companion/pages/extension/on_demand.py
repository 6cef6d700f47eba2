"""The directive `on-demand`: a chapter's interactive figure, loaded when a reader asks for it.

The page holds a button alone. Pressed, it loads a script that the build puts beside the pages, with
the figure's HTML in it: a script is loaded from a disk too, where nothing can be fetched.
"""

import json
import shutil
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = "on-demand"  # in Sphinx's own folder while pages are read, then in _static
BUTTON = """<div class="on-demand"><button type="button" hidden>{text}</button><script>
(here => {{
  const button = here.querySelector('button');
  button.hidden = false;
  button.onclick = () => {{
    button.disabled = true;
    (window.onDemand ??= {{}})[{name}] = html => {{
      here.replaceChildren(document.createRange().createContextualFragment(html));
      here.querySelector('button, select, input')?.focus();
    }};
    const script = document.createElement('script');
    script.src = {address};
    script.onerror = () => {{ script.remove(); button.disabled = false; }};
    document.head.append(script);
  }};
}})(document.currentScript.parentElement);
</script></div>"""


def shown_by(source: Path, chapter: str, cell_id: str) -> tuple[Path, str | None] | None:
    """(notebook, HTML that its cell shows, None before it ran); None if there is no such cell."""
    path = source / "notebooks" / f"{chapter}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else []
    for cell in cells:
        if cell.get("id") == cell_id:
            texts = ("".join(o.get("data", {}).get("text/html", "")) for o in cell["outputs"])
            return path, next(filter(None, texts), None)
    return None


class OnDemand(SphinxDirective):
    """Chapter and id of the cell; the content is what the button says."""

    required_arguments = 2
    has_content = True

    def run(self) -> list[nodes.Node]:
        chapter, cell_id = self.arguments
        found = shown_by(Path(self.env.srcdir), chapter, cell_id)
        if found is None:
            raise self.error(f"no chapter {chapter!r} with a cell {cell_id!r}")
        path, html = found
        self.env.note_dependency(str(path))
        if html is None:
            return self.parse_text_to_nodes("`make book` puts an interactive figure here.")
        script = Path(self.env.doctreedir) / FOLDER / f"{cell_id}.js"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"onDemand[{json.dumps(cell_id)}]({json.dumps(html)});\n", "utf-8")
        up = "../" * self.env.docname.count("/")
        text = BUTTON.format(
            text=escape(" ".join(self.content)),
            name=json.dumps(cell_id),
            address=json.dumps(f"{up}_static/{FOLDER}/{script.name}"),
        )
        return [nodes.raw("", text, format="html")]


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Put the scripts beside the pages."""
    made = Path(app.doctreedir) / FOLDER
    if exception is None and app.builder.format == "html" and made.exists():
        shutil.copytree(made, Path(app.outdir) / "_static" / FOLDER, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("on-demand", OnDemand)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
