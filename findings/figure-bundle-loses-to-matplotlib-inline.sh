#!/usr/bin/env bash
# IPython 9.18.1, matplotlib-inline 0.2.2 and matplotlib 3.11.2: in a notebook, a formatter for
# matplotlib's Figure that gives a whole bundle of types, PNG among them.
# Expected: its PNG is shown, as is what a bundle gives for any other class. Seen: its SVG is, but the
# PNG is the inline backend's, which registers a formatter of its own for Figure: that is called after
# the bundle's and wins, so every figure is drawn twice and settings of the first are lost, silently.
# With InlineBackend.figure_formats empty the bundle's is shown.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'matplotlib-inline==0.2.2' 'ipython==9.18.1' 'matplotlib==3.11.2'
cat > show.py <<'PY'
import sys

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()
shell.run_cell("import matplotlib.pyplot as plt; plt.figure()")
from matplotlib.figure import Figure

if sys.argv[1] == "no formats":
    from matplotlib_inline.config import InlineBackend

    InlineBackend.instance(parent=shell).figure_formats = set()
bundle = {"image/svg+xml": "ours", "image/png": b"ours"}
shell.display_formatter.mimebundle_formatter.for_type(Figure, lambda figure: dict(bundle))
with capture_output() as seen:
    shell.run_cell("plt.plot([1, 2]);")
(output,) = seen.outputs
print({kind: output.data[kind] in ("ours", b"ours") for kind in bundle})
PY
export MPLBACKEND=module://matplotlib_inline.backend_inline IPYTHONDIR=$folder/ipython
as_it_is=$(env/bin/python show.py default 2> /dev/null | tail -1)
emptied=$(env/bin/python show.py "no formats" 2> /dev/null | tail -1)
test "$as_it_is" = "{'image/svg+xml': True, 'image/png': False}"
test "$emptied" = "{'image/svg+xml': True, 'image/png': True}"
echo "as found, are both the bundle's? $as_it_is; without the backend's formats: $emptied"
