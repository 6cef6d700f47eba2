#!/usr/bin/env bash
# papermill 2.7.0: execute_notebook with a tuple as a parameter, (3, 3) for a kernel's size. Expected: a
# tuple, or a list, as a list stays one. Seen: the text "(3, 3)", of which the first element is a
# bracket; no warning. A notebook that loops over its sizes loops over letters. Pass lists.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'papermill==2.7.0'
env/bin/python - <<'CODE'
from papermill.translators import PythonTranslator

code = PythonTranslator.codify({"size": (3, 3), "sizes": [3, 5]})
values = {}
exec(code, values)
assert values["size"] == "(3, 3)" and values["sizes"] == [3, 5]
print("as found: papermill hands over the tuple (3, 3) as", repr(values["size"]))
CODE
