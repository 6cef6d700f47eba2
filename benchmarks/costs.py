"""What a bank costs against named alternatives: CPU seconds of one thread, and peak memory.

Each of the ratios is ours over theirs, of the same patches of CIFAR-10 (or the offline stand-in):

- k-means, 27 clusters of 100,000 3x3 patches and 64 of 50,000 7x7, against scikit-learn's KMeans
  in float32, and at 7x7 against faiss with 100 iterations where it is installed. Ours takes raw
  patches, checks and standardises them; theirs get standardised ones, at no cost. Loss: the mean
  squared distance of a patch to its centroid.
- components of all 7x7 patches of 10,000 images against a float32 product of the same patches,
  1,000 images at a time (as airbench whitens), which does not standardise them.

Every measurement is a process of its own, and ours and theirs take turns, seed by seed: other work
on the same cores slows both. Means over seeds. Memory is the peak above that with the input loaded.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import numpy as np  # this process stays small: on Linux a child's peak starts at its parent's

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
WORKS = {
    "k-means 3x3": (["ours", "scikit-learn"], {"kernel": 3, "patches": 100_000, "clusters": 27}),
    "k-means 7x7": (["ours", "scikit-learn", "faiss"],
                    {"kernel": 7, "patches": 50_000, "clusters": 64}),
    "components 7x7": (["ours", "product"], {"kernel": 7, "images": 10_000}),
}  # fmt: skip


def prepare(folder: Path, quick: bool) -> None:
    import torch

    from patchinit.data import load_images
    from patchinit.patches import sample_patches, standardize_patches

    data = load_images(None)
    print(f"{data.name}, torch {torch.__version__}")
    for name, (_, size) in WORKS.items():
        if "images" in size:
            found = data.images[: size["images"] // (10 if quick else 1)]
        else:
            n = size["patches"] // (10 if quick else 1)
            generator = torch.Generator().manual_seed(0)
            found = sample_patches(data.images, size["kernel"], n, generator=generator)
            rows = standardize_patches(found).patches.flatten(1)
            np.save(folder / f"{name} standardised.npy", rows.numpy())
        np.save(folder / f"{name}.npy", found.numpy())


def ours(images: np.ndarray, seed: int, kernel: int, clusters: int = 0, **_: int) -> np.ndarray:
    import torch

    from patchinit.filters import kmeans, principal_components
    from patchinit.moments import patch_moments

    given = torch.from_numpy(images)
    if clusters:
        generator = torch.Generator().manual_seed(seed)
        return kmeans(given, clusters, norm=None, generator=generator).filters.flatten(1).numpy()
    # A generator, as of images that do not fit into memory.
    return principal_components(patch_moments(given.split(1_000), kernel), 64).filters.numpy()


def scikit_learn(rows: np.ndarray, seed: int, clusters: int, **_: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    fit = KMeans(clusters, n_init=1, max_iter=1000, random_state=seed).fit(rows)
    return fit.cluster_centers_


def faiss(rows: np.ndarray, seed: int, clusters: int, **_: int) -> np.ndarray:
    import faiss as package

    fit = package.Kmeans(rows.shape[1], clusters, niter=100, seed=seed)
    fit.train(rows)
    return fit.centroids


def product(images: np.ndarray, seed: int, kernel: int, **_: int) -> np.ndarray:
    import torch
    from torch.nn.functional import unfold

    total = torch.zeros(())
    for part in torch.from_numpy(images).split(1_000):
        columns = unfold(part.float() / 255, kernel)
        patches = columns.transpose(1, 2).reshape(-1, columns.shape[1])
        total = total + patches.T @ patches
    return torch.linalg.eigh(total)[1].numpy()


WAYS = {"ours": ours, "scikit-learn": scikit_learn, "faiss": faiss, "product": product}


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(folder: Path, name: str, way: str, seed: int) -> dict:
    if way == "faiss":
        import faiss  # noqa: F401, imports are no part of the time
    if way == "scikit-learn":
        import sklearn.cluster  # noqa: F401
    import torch

    import patchinit.filters  # noqa: F401

    torch.set_num_threads(1)
    other = folder / f"{name} standardised.npy"
    given = np.load(other if way in ("scikit-learn", "faiss") else folder / f"{name}.npy")
    loaded, began = peak_memory(), time.process_time()
    found = WAYS[way](given, seed, **WORKS[name][1])
    result = {"CPU s": time.process_time() - began, "MB": (peak_memory() - loaded) / 1e6}
    if other.exists():
        rows = torch.from_numpy(np.load(other)).double()
        distances = torch.cdist(rows, torch.from_numpy(found).double())
        result["loss"] = distances.square().amin(1).mean().item()
    return result


def in_a_process(*options: str) -> str:
    command = [sys.executable, __file__, *options]
    environment = os.environ | ONE_THREAD
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=environment
    ).stdout.strip()


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="turns of each, default 3")
    parser.add_argument("--only", default="", help="works whose names begin so")
    parser.add_argument("--quick", action="store_true", help="a tenth of the patches")
    parser.add_argument("--folder", type=Path, help=SUPPRESS)
    parser.add_argument("--measure", nargs="*", help=SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        name, way, seed = given.measure
        print(json.dumps(measure(given.folder, name, way, int(seed))))
        return
    if given.folder:
        prepare(given.folder, given.quick)
        return
    try:
        import faiss  # noqa: F401

        absent = ""
    except ImportError:
        absent = "faiss"
    with tempfile.TemporaryDirectory() as folder:
        print(in_a_process("--folder", folder, *(["--quick"] if given.quick else [])))
        print(
            f"\n{'work':15} {'way':13} {'CPU s':>7} {'MB':>6} {'loss':>8}   ours/theirs: CPU   MB"
        )
        for name in (name for name in WORKS if name.startswith(given.only)):
            ways = [way for way in WORKS[name][0] if way != absent]
            turns = [
                {way: json.loads(in_a_process("--folder", folder, "--measure", name, way, str(s)))
                 for way in ways}
                for s in range(given.seeds)
            ]  # fmt: skip
            means = {
                way: {key: np.mean([turn[way][key] for turn in turns]) for key in turns[0][way]}
                for way in ways
            }
            for way, mean in means.items():
                line = f"{name:15} {way:13} {mean['CPU s']:7.2f} {mean['MB']:6.0f}"
                line += f" {mean['loss']:8.3f}" if "loss" in mean else 9 * " "
                if way != "ours":
                    ratios = (means["ours"][key] / mean[key] for key in ("CPU s", "MB"))
                    line += f"{'':16}{next(ratios):6.2f} {next(ratios):6.2f}"
                print(line, flush=True)
    if absent:
        print("faiss is not installed (pip install faiss-cpu), so it was left out")


if __name__ == "__main__":
    main()
