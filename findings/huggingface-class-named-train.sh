#!/usr/bin/env bash
# datasets 5.2.0: load_dataset("imagefolder") on one folder a class, where a class is named "train", as
# one of CIFAR-100's is. Expected: all classes. Seen: the name is taken for a split; the other class'
# images are left out and no labels are made, without a word. "test" and "dev" do the same. Give
# data_files, or rename.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  'datasets==5.2.0' 'pillow==13.0.0' 'numpy==2.4.6'
HF_HUB_OFFLINE=1 HF_HOME="$folder" env/bin/python - <<'CODE'
import os

from datasets import disable_progress_bars, load_dataset
from PIL import Image

disable_progress_bars()


def load(*classes):
    folder = "-".join(classes)
    for name in classes:
        os.makedirs(f"{folder}/{name}")
        for number in range(3):
            Image.new("L", (4, 4), number).save(f"{folder}/{name}/{number}.png")
    splits = load_dataset("imagefolder", data_dir=folder, cache_dir="cache")
    return {name: (len(split), split.column_names) for name, split in splits.items()}


assert load("apple", "bicycle") == {"train": (6, ["image", "label"])}
assert load("apple", "train") == {"train": (3, ["image"])}
assert load("apple", "test") == {"test": (3, ["image"])}
print("as found: of the classes apple and train, 3 of 6 images are loaded, without labels")
CODE
