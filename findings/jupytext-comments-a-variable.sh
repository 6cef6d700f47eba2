#!/usr/bin/env bash
# jupytext 1.19.6: a cell that sets ls = [1, 2] and shows it by a last line ls, saved as py:percent.
# Expected: both lines. Seen: "# ls": it takes the second for the shell's command, as IPython would if
# there were no such variable, so the script, or a checker that reads it, goes without this line. Read
# back as a notebook it is whole. The same holds for cat; not for more.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'jupytext==1.19.6' 'nbformat==5.11.1'
env/bin/python - <<'CODE'
import jupytext
import nbformat

cells = [nbformat.v4.new_code_cell(source) for source in ("ls = [1, 2]\nls", "cat", "more")]
notebook = nbformat.v4.new_notebook(cells=cells)
text = jupytext.writes(notebook, "py:percent").splitlines()
assert "ls = [1, 2]" in text and "# ls" in text and "ls" not in text
assert "# cat" in text and "more" in text
back = jupytext.reads("\n".join(text), "py:percent")
assert [cell.source for cell in back.cells] == [cell.source for cell in cells]
print("as found: jupytext writes a last line ls, which shows a variable, as a comment")
CODE
