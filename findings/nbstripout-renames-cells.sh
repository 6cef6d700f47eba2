#!/usr/bin/env bash
# nbstripout 0.9.1: a notebook whose cells have ids that something points to. Expected: outputs go, ids
# stay. Seen: the ids become 0, 1, 2, so one cell put in at the top changes all below, links and tools
# that go by ids point to the wrong cell, and a diff shows lines that nobody touched. --keep-id.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'nbstripout==0.9.1' 'nbformat==5.11.1'
env/bin/python - <<'CODE'
import nbformat

cells = [nbformat.v4.new_code_cell("1", id=name) for name in ("figure-left", "figure-right")]
for name in ("one", "two"):
    nbformat.write(nbformat.v4.new_notebook(cells=cells), name + ".ipynb")
CODE
ids() { env/bin/python -c 'import nbformat, sys; print(*(c.id for c in nbformat.read(sys.argv[1], 4).cells))' "$1"; }
env/bin/nbstripout one.ipynb
env/bin/nbstripout --keep-id two.ipynb
test "$(ids one.ipynb)" = '0 1'
test "$(ids two.ipynb)" = 'figure-left figure-right'
echo "as found: nbstripout renames cells figure-left and figure-right to $(ids one.ipynb)"
