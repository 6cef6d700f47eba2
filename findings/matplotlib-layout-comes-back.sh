#!/usr/bin/env bash
# matplotlib 3.11.2: constrained layout is the default of the settings, and one figure with axes
# placed by hand is made with layout="none". Expected: it never has a layout engine. Seen: after
# savefig with bbox_inches="tight", as every notebook saves, it has the constrained one, which warns
# at the next save, and would move axes that it can. A figure whose engine is taken away later, by
# set_layout_engine("none"), stays without. Who saves one figure in two formats gets two pictures.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'matplotlib==3.11.2'
cat > show.py <<'PYTHON'
import io

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["figure.constrained_layout.use"] = True
import matplotlib.pyplot as plt

told = plt.figure(layout="none")
later = plt.figure()
later.set_layout_engine("none")
before = [figure.get_layout_engine() for figure in (told, later)]
for figure in (told, later):
    figure.savefig(io.BytesIO(), bbox_inches="tight")
after = [type(figure.get_layout_engine()).__name__ for figure in (told, later)]
assert before[0] is None, before
assert after == ["ConstrainedLayoutEngine", "PlaceHolderLayoutEngine"], after
print(f"as found: made with layout='none', after one save: {after[0]}")
PYTHON
env/bin/python show.py
