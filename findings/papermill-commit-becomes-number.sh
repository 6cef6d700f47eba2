#!/usr/bin/env bash
# papermill 2.7.0: a short commit hash on the command line, -p commit 1852e03. Expected: text, as
# 1852f03 stays. Seen: the number 1852000.0 is written into the notebook, since it looks like one with
# an exponent; 7e10000 becomes inf, 0012345 becomes 12345, 1_000 becomes 1000. About one hash of seven
# places in 18 looks like a number. Use -r for text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'papermill==2.7.0' 'ipykernel==7.0.0'
env/bin/python - <<'CODE'
import nbformat

cell = nbformat.v4.new_code_cell("commit = ''", metadata={"tags": ["parameters"]})
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), "in.ipynb")
CODE
written() {
    env/bin/papermill --prepare-only "$1" commit "$2" in.ipynb out.ipynb > log.txt 2>&1
    env/bin/python -c 'import nbformat; print(nbformat.read("out.ipynb", 4).cells[1].source.splitlines()[-1])'
}
test "$(written -p 1852f03)" = 'commit = "1852f03"'
test "$(written -p 1852e03)" = 'commit = 1852000.0'
test "$(written -p 7e10000)" = "commit = float('inf')"
test "$(written -p 0012345)" = 'commit = 12345'
test "$(written -r 1852e03)" = 'commit = "1852e03"'
echo "as found: papermill -p commit 1852e03 writes $(written -p 1852e03)"
