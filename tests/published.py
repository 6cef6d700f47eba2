"""Tiny published data sets, whose digests count as the real ones."""

import gzip
import hashlib
import pickle
import struct

import numpy as np
from torchvision import datasets

from patchinit.data import published

BATCHES = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
CIFAR_FILES = [*BATCHES, "batches.meta"]


def publish_cifar(monkeypatch):
    """Files of a CIFAR-10 of 6 x 4 images, by name."""
    rng = np.random.default_rng(0)
    contents = {
        name: {b"data": rng.integers(0, 256, (4, 3072), np.uint8), b"labels": [3, 1, 0, 2]}
        for name in BATCHES
    }
    contents["batches.meta"] = {b"label_names": [b"w", b"x", b"y", b"z"]}  # as Python 2 wrote
    files = {name: pickle.dumps(content) for name, content in contents.items()}
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setitem(published._SHA256, "cifar10", sha256)
    return files


def publish_fashion(monkeypatch):
    """The four gzipped files of a Fashion-MNIST of 6 and 3 images, by name."""
    rng, archives, sha256 = np.random.default_rng(0), {}, {}
    for part, n in (("train", 6), ("t10k", 3)):
        pixels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        for name, content in (
            (f"{part}-images-idx3-ubyte", struct.pack(">iiii", 2051, n, 28, 28) + pixels.tobytes()),
            (f"{part}-labels-idx1-ubyte", struct.pack(">ii", 2049, n) + bytes(range(n))),
        ):
            archives[f"{name}.gz"] = gzip.compress(content)
            sha256[name] = hashlib.sha256(content).hexdigest()
    listed = [(name, hashlib.md5(content).hexdigest()) for name, content in archives.items()]
    monkeypatch.setattr(datasets.FashionMNIST, "resources", listed)
    monkeypatch.setitem(published._SHA256, "fashion_mnist", sha256)
    return archives
