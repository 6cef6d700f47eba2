#!/usr/bin/env bash
# ipykernel 7.4.0: a process imports ipykernel, forks, and the child, told by JPY_PARENT_PID who its
# parent is, becomes a kernel. Expected: it ends with its parent, as every kernel that is told so. Seen:
# it watches nobody. The variable is read once, when the module is imported, as the default of
# IPKernelApp.parent_handle; what is set later is passed over, and a kernel of a killed build stays for
# good. The way out is the setting itself, --IPKernelApp.parent_handle=PID.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'ipykernel==7.4.0'
cat > ask.py <<'PY'
import os
import sys

if sys.argv[1] == "imported":
    import ipykernel.kernelapp
os.environ["JPY_PARENT_PID"] = "4711"
from ipykernel.kernelapp import IPKernelApp

print(IPKernelApp().parent_handle)
PY
unset JPY_PARENT_PID
first=$(env/bin/python ask.py fresh)
forked=$(env/bin/python ask.py imported)
test "$first" = 4711
test "$forked" = 0
echo "as found: the parent is $first where ipykernel is imported afterwards, and $forked where it was before"
