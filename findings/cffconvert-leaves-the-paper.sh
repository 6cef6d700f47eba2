#!/usr/bin/env bash
# cffconvert 2.0.0: a CITATION.cff whose preferred-citation is a paper, as BibTeX. Expected: the paper,
# as GitHub's "Cite this repository" gives it from the same file. Seen: the software, without a word on
# the paper; authors cite what was not asked for. There is no option for it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'cffconvert==2.0.0'
cat > CITATION.cff <<'CFF'
cff-version: 1.2.0
message: Please cite the paper.
title: The code
authors:
  - {family-names: Doe, given-names: Jane}
preferred-citation:
  type: article
  title: The paper
  journal: The journal
  year: 2025
  authors:
    - {family-names: Doe, given-names: Jane}
CFF
env/bin/cffconvert --validate > valid.txt 2>&1
env/bin/cffconvert --format bibtex > entry.bib
grep --quiet 'title = {The code}' entry.bib
if grep --quiet 'The paper' entry.bib; then exit 1; fi
echo "as found: cffconvert cites $(grep title entry.bib), not the preferred paper"
