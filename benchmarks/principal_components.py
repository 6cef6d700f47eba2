"""Principal components of every 3x3 patch of a data set: by batches, against all patches at once.

"streamed" is what patchinit does: moments in bounded memory, patch batch by patch batch, then one
eigendecomposition. "plain" is the same as it is usually written: all patches in one array, each
standardised, then scikit-learn's StandardScaler and PCA. Each runs in a process of its own; memory
is the peak above that with the images loaded: of all 50,000, more than 10 GB for the plain way.
Without CIFAR-10 the offline stand-in is measured, which is smaller.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import numpy as np  # this process stays small: on Linux a child's peak starts at its parent's

KERNEL = 3


def prepare(folder: Path, n_images: int) -> dict:
    """Write the images, in a process of its own, which keeps the cost of loading out."""
    from patchinit.data import load_images

    data = load_images(None)
    np.save(folder / "images.npy", data.images[:n_images].numpy())
    return {"name": data.name, "n_images": len(data.images[:n_images])}


def streamed(images: np.ndarray) -> np.ndarray:
    import torch

    from patchinit.filters import principal_components
    from patchinit.moments import patch_moments

    moments = patch_moments(torch.from_numpy(images), KERNEL)
    return principal_components(moments, images.shape[1] * KERNEL**2).filters.flatten(1).numpy()


def plain(images: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    d = images.shape[1] * KERNEL**2
    windows = np.lib.stride_tricks.sliding_window_view(images, (KERNEL, KERNEL), axis=(2, 3))
    rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, d).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    deviation = rows.std(1, keepdims=True)
    if not (keep := deviation[:, 0] > 0).all():  # constant patches have no direction
        rows, deviation = rows[keep], deviation[keep]
    rows /= deviation
    return PCA(d).fit(StandardScaler(copy=False).fit_transform(rows)).components_


def measure(way: str, folder: Path) -> dict:
    """Seconds and peak memory of one way; its components go to the folder."""
    import sklearn.decomposition
    import sklearn.preprocessing
    import torch

    import patchinit.filters  # noqa: F401, imports are no part of the time

    images = np.load(folder / "images.npy")
    loaded = peak_memory()
    began = time.perf_counter()
    components = {"streamed": streamed, "plain": plain}[way](images)
    seconds = time.perf_counter() - began
    np.save(folder / f"{way}.npy", components.astype(np.float64))
    versions = {"torch": torch.__version__, "scikit-learn": sklearn.__version__}
    return {"seconds": seconds, "bytes": peak_memory() - loaded, "versions": versions}


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def in_a_process(step: str, folder: Path, n_images: int) -> dict:
    options = ["--images", str(n_images), "--step", step, "--folder", str(folder)]
    command = [sys.executable, __file__, *options]
    environment = {"OMP_WAIT_POLICY": "passive"} | os.environ  # threads that wait sleep
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def largest_angle(one: np.ndarray, two: np.ndarray) -> float:
    """Between components of equal rank, whatever their sign, in degrees."""
    along = (one * two).sum(1, keepdims=True)
    across = np.linalg.norm(two - along * one, axis=1)  # a sine: exact where a cosine is nearly 1
    return float(np.degrees(np.arctan2(across, np.abs(along[:, 0]))).max())


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000, help="default: 50000")
    parser.add_argument("--quick", action="store_true", help="2,000 images: seconds, and 0.5 GB")
    parser.add_argument("--step", choices=["prepare", "streamed", "plain"], help=SUPPRESS)
    parser.add_argument("--folder", type=Path, help=SUPPRESS)
    given = parser.parse_args()
    n_images = 2_000 if given.quick else given.images
    if n_images < 1:
        parser.error(f"--images {n_images} should be at least 1")
    if given.step:
        prepares, folder = given.step == "prepare", given.folder
        found = prepare(folder, n_images) if prepares else measure(given.step, folder)
        print(json.dumps(found))
        return

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = in_a_process("prepare", folder, n_images)
        results = {way: in_a_process(way, folder, n_images) for way in ("streamed", "plain")}
        height, width = np.load(folder / "images.npy", mmap_mode="r").shape[2:]
        angle = largest_angle(np.load(folder / "streamed.npy"), np.load(folder / "plain.npy"))
    patches = found["n_images"] * (height - KERNEL + 1) * (width - KERNEL + 1)
    versions = ", ".join(f"{key} {value}" for key, value in results["plain"]["versions"].items())
    print(f"{found['n_images']:,} images of {found['name']}, {patches:,} patches of 3x3")
    print(f"Python {platform.python_version()}, {versions}\n")
    print(f"{'':10} {'seconds':>9} {'GB above the images':>20}")
    for way, result in results.items():
        print(f"{way:10} {result['seconds']:9.1f} {result['bytes'] / 1e9:20.2f}")
    ratio = results["plain"]["seconds"] / results["streamed"]["seconds"]
    print(f"\ntime: 1/{ratio:.1f}; largest angle between the components: {angle:.3f} degrees")


if __name__ == "__main__":
    main()
