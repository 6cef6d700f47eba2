#!/usr/bin/env bash
# jupytext 1.19.6: a picture pasted into a Markdown cell (an attachment), the notebook kept as
# py:percent or Markdown. Expected: it stays, or a warning. Seen: the text keeps its name,
# ![](attachment:filter.png), and the picture is gone after the way there and back, without a word;
# cells get other ids too. Keep pictures in files.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'jupytext==1.19.6' 'nbformat==5.11.1'
env/bin/python - <<'CODE'
import warnings

import jupytext
import nbformat

warnings.simplefilter("error")
picture = {"filter.png": {"image/png": "iVBORw0KGgo="}}
cell = nbformat.v4.new_markdown_cell("![](attachment:filter.png)", attachments=picture)
notebook = nbformat.v4.new_notebook(cells=[cell])
for form in ("py:percent", "md", "md:myst"):
    back = jupytext.reads(jupytext.writes(notebook, form), form).cells[0]
    assert back.source == cell.source
    assert "attachments" not in back and back.id != cell.id
print("as found: jupytext keeps a pasted picture's name and loses the picture")
CODE
