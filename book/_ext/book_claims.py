"""The directive `claims-tally`: how many claims have which verdict in this build.

They are counted from the executed chapters.
"""

import json
import re
from collections import Counter
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

NAME = re.compile(r"claim_(\d+)_verdict")
WORDS = ("supported", "not supported", "undecided")


def glued_verdicts(notebook):
    """{claim: verdict} of one executed notebook, from what its cells have glued."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    found = {}
    for output in outputs:
        match = NAME.fullmatch(output.get("metadata", {}).get("scrapbook", {}).get("name", ""))
        text = "".join(
            output.get("data", {}).get("application/papermill.record/text/plain", "")
        ).strip("'\"")
        if match and text:
            found[int(match[1])] = text
    return found


class ClaimsTally(SphinxDirective):
    """One sentence, or a line that says why there is none."""

    def run(self):
        verdicts = {}
        # In order, so that a later chapter, with more to go by, decides a claim that an earlier
        # one left open.
        for path in sorted((Path(self.env.srcdir) / "notebooks").glob("*.ipynb")):
            self.env.note_dependency(str(path))
            verdicts |= glued_verdicts(json.loads(path.read_text(encoding="utf-8")))
        if not verdicts:
            return self.parse_text_to_nodes(
                "This build did not count the verdicts; `make book` does."
            )
        counts = Counter(verdicts.values())
        parts = [f"{counts[word]} {word}" for word in WORDS]
        sentence = (
            f"**Of {len(verdicts)} claims, {parts[0]}, {parts[1]} and {parts[2]} in this build.**"
        )
        return self.parse_text_to_nodes(sentence)


def setup(app):
    app.add_directive("claims-tally", ClaimsTally)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
