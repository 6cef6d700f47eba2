#!/usr/bin/env bash
# Inside Colab's image: each chapter as a reader opens it, alone in /content. None may change what the
# runtime itself stands on.
set -euo pipefail

held() { pip freeze 2>/dev/null | grep -iE '^(ipykernel|ipython|jupyter|numpy|torch|tornado|pyzmq)'; }

mkdir -p /content && cd /content
held > /tmp/before
for chapter in /book/notebooks/*.ipynb; do
  echo "== $(basename "$chapter")"
  cp "$chapter" .
  jupyter nbconvert --to notebook --execute --ExecutePreprocessor.timeout=900 \
    --output-dir /tmp/executed "$(basename "$chapter")"
done
held | diff /tmp/before - && echo 'The runtime is as it was'
