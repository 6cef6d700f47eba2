#!/usr/bin/env bash
# myst-nb 1.4.0: a number glued from numpy, np.float64(1.23456), and shown in a sentence as .2f.
# Expected: 1.23, as a plain float gives. Seen: nothing, a hole in the sentence; the page keeps numpy's
# repr, "np.float64(1.23456)", which is no number. Without -W the build ends with 0. Glue value.item().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'myst-nb==1.4.0' 'sphinx==7.4.7' 'numpy==2.4.6'
mkdir docs
printf 'extensions = ["myst_nb"]\nnb_execution_mode = "force"\n' > docs/conf.py
cat > docs/index.md <<'PAGE'
---
file_format: mystnb
kernelspec: {name: python3}
---
# Page

Numpy's {glue:text}`one:.2f`, Python's {glue:text}`other:.2f`.

```{code-cell}
import numpy as np
from myst_nb import glue
glue("one", np.float64(1.23456), display=False)
glue("other", 1.23456, display=False)
```
PAGE
PATH="$PWD/env/bin:$PATH" env/bin/python -m sphinx -q -b html docs site > output.txt 2>&1
grep --quiet 'could not convert string to float' output.txt
grep --quiet "Numpy’s , Python’s <span class=\"pasted-text\">1.23</span>" site/index.html
echo "as found: a glued np.float64 with the format .2f leaves a hole in the sentence"
