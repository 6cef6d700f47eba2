"""The directive `chapter-costs`: what each chapter took in this build.

It comes from the records of the chapters' execution.
"""

import json
from pathlib import Path

from sphinx.util.docutils import SphinxDirective


class ChapterCosts(SphinxDirective):
    """A table of seconds and peak memory, or a line that says why there is none."""

    def run(self):
        # `make book` builds from _build/stage and keeps its records in _build/executed beside it.
        records = sorted((Path(self.env.srcdir).parent / "executed" / "notebooks").glob("*.json"))
        if not records:
            return self.parse_text_to_nodes(
                "This build did not record what its chapters cost; `make book` does."
            )
        rows = ["| chapter | seconds | peak memory (GB) |", "|---|---|---|"]
        for path in records:
            self.env.note_dependency(str(path))
            record = json.loads(path.read_text(encoding="utf-8"))
            rows.append(
                f"| {path.stem} | {record['seconds']:.0f} | {record['peak_memory'] / 1e9:.1f} |"
            )
        return self.parse_text_to_nodes(
            "What the chapters took when this page was built, on one core each:\n\n"
            + "\n".join(rows)
        )


def setup(app):
    app.add_directive("chapter-costs", ChapterCosts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
