#!/usr/bin/env bash
# webdataset 1.0.2: pictures sigma_0.25.png and sigma_0.5.png in a tar. Expected: two samples. Seen:
# one, named sigma_0, with the entries 25.png and 5.png: a name ends at its first dot. Samples are lost
# without a word when names hold decimals; write 0p25.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'webdataset==1.0.2' 'numpy==2.4.6'
env/bin/python - <<'CODE'
import io
import tarfile

import webdataset

with tarfile.open("pictures.tar", "w") as tar:
    for name in ("sigma_0.25.png", "sigma_0.5.png", "sigma_1.png"):
        entry = tarfile.TarInfo(name)
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"abc"))
samples = list(webdataset.WebDataset("pictures.tar", shardshuffle=False))
entries = [sorted(name for name in sample if not name.startswith("__")) for sample in samples]
assert [sample["__key__"] for sample in samples] == ["sigma_0", "sigma_1"]
assert entries == [["25.png", "5.png"], ["png"]]
print("as found: sigma_0.25.png and sigma_0.5.png are one sample of webdataset, sigma_0")
CODE
