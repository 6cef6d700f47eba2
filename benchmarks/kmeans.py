"""k-means filters from more and more images: patchinit's sample of patches, against every patch.

"sampled" is what `make_filters("kmeans", ...)` does: at most 200,000 patches, drawn uniformly.
"all" gives every patch to scikit-learn's KMeans. Both standardise the patches, ask for 27 clusters,
start once from k-means++ and stop by the same rule. The loss is the mean squared distance from
patches of other images to the nearest centroid: what the sample costs in quality.

CPU seconds are of all threads together, and the exponent b of time ~ images^b is made from them.
"""

import os
import platform
import time
import warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter

# Read when the libraries load: threads that wait sleep, and do not disturb what else runs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import sklearn
import torch
from sklearn.cluster import KMeans

from patchinit.data import load_images
from patchinit.filters import MAX_PATCHES, kmeans
from patchinit.patches import extract_patches, sample_patches, standardize_patches

CLUSTERS, KERNEL = 27, 3


def sampled(images: torch.Tensor, max_iter: int) -> tuple[torch.Tensor, int]:
    """Centroids as rows, and iterations."""
    generator = torch.Generator().manual_seed(0)
    patches = sample_patches(images, KERNEL, MAX_PATCHES, generator=generator)
    bank = kmeans(patches, CLUSTERS, max_iter=max_iter, norm=None, generator=generator)
    return bank.filters.flatten(1), bank.n_iter


def every(images: torch.Tensor, max_iter: int) -> tuple[torch.Tensor, int]:
    rows = standardize_patches(extract_patches(images, KERNEL)).patches.flatten(1).numpy()
    fit = KMeans(CLUSTERS, n_init=1, max_iter=max_iter, random_state=0).fit(rows)
    return torch.from_numpy(fit.cluster_centers_), fit.n_iter_


def exponent(sizes: list[int], times: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000], help="images")
    parser.add_argument("--max-iter", type=int, default=1000, help="of both, as in make_filters")
    parser.add_argument("--quick", action="store_true", help="100 and 300 images, 20 iterations")
    given = parser.parse_args()
    sizes, max_iter = ([100, 300], 20) if given.quick else (sorted(given.sizes), given.max_iter)
    warnings.filterwarnings("ignore", "kmeans stopped at max_iter")  # the table says so

    data = load_images(None)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    judges, order = order[:500], order[500:]
    if not 1 <= sizes[0] <= sizes[-1] <= len(order):
        parser.error(f"--sizes should be from 1 to {len(order):,}: {data.name} less 500 judges")
    held_out = sample_patches(data.images[judges], KERNEL, 100_000)
    held_out = standardize_patches(held_out).patches.flatten(1)

    print(f"{data.name}, {CLUSTERS} clusters of 3x3 patches, at most {max_iter} iterations")
    versions = f"torch {torch.__version__}, scikit-learn {sklearn.__version__}"
    print(f"Python {platform.python_version()}, {versions}\n")
    print("           images     patches   seconds    CPU s  iterations     loss")
    for name, way in (("sampled", sampled), ("all", every)):
        way(data.images[order[: min(20, sizes[0])]], 5)  # starts the threads
        cpu = []
        for size in sizes:
            images = data.images[order[:size]]
            total = size * (images.shape[2] - KERNEL + 1) * (images.shape[3] - KERNEL + 1)
            used = min(total, MAX_PATCHES) if way is sampled else total
            began, used_before = time.perf_counter(), time.process_time()
            centroids, n_iter = way(images, max_iter)
            seconds = time.perf_counter() - began
            cpu.append(time.process_time() - used_before)
            loss = torch.cdist(held_out, centroids).square().amin(1).mean().item()
            reached = "*" if n_iter >= max_iter else " "
            cost = f"{seconds:9.1f} {cpu[-1]:8.1f} {n_iter:10}{reached}"
            print(f"{name:8} {size:8,} {used:11,} {cost} {loss:8.3f}", flush=True)
        if len(sizes) > 1:
            growth, last = exponent(sizes, cpu), exponent(sizes[-2:], cpu[-2:])
            print(f"{name:8} time ~ images^{growth:.2f}, ^{last:.2f} between the two largest\n")
    print("* stopped by the cap before it converged")


if __name__ == "__main__":
    main()
