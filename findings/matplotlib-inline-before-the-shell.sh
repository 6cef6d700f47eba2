#!/usr/bin/env bash
# matplotlib-inline 0.2.2, IPython 9.18.1 and matplotlib 3.11.2: the backend that MPLBACKEND names for
# notebooks is imported before there is a shell, as a process does that imports what its children need.
# Expected: a cell that draws shows its figure. Seen: none is shown, and nothing is said. The backend
# ties itself to the shell at the moment of its import only; without one it stays an unused canvas.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'matplotlib-inline==0.2.2' 'ipython==9.18.1' 'matplotlib==3.11.2'
cat > draw.py <<'PY'
import sys

if sys.argv[1] == "before":
    import matplotlib_inline.backend_inline
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()
with capture_output() as seen:
    shell.run_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
print(len(seen.outputs))
PY
export MPLBACKEND=module://matplotlib_inline.backend_inline IPYTHONDIR=$folder/ipython
after=$(env/bin/python draw.py after)
before=$(env/bin/python draw.py before)
test "$after" = 1
test "$before" = 0
echo "as found: $after figure is shown where the backend is imported after the shell began, and $before before"
