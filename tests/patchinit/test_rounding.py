"""Filters do not hang on a sum's last bits: another processor and its threads give the same."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from patchinit.filters import clusters, fix_signs, kmeans, kmedians, kmedoids
from patchinit.patches import extract_patches
from tools.held_down import environment

CHILD = Path(__file__).with_name("rounding_child.py")
CONFIGURATIONS = [(held_down, threads) for held_down in (False, True) for threads in (1, 2)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the child found, by configuration. Without AVX-512 they differ in MKL's path alone."""
    results = {}
    for held_down in (False, True):
        folder = tmp_path_factory.mktemp("rounding")
        settings = environment(held_down=held_down, threads=2) | {"PATCHINIT_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, str(CHILD), str(folder)],
            env=settings, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        print(done.stdout, end="")  # what was left out, and why
        for threads in (1, 2):
            with np.load(folder / f"{threads}.npz") as arrays:
                results[held_down, threads] = dict(arrays)
    return results


# Relative to the largest value. What is left in the filters is that of float32: the orthonormal
# ones come from a decomposition in that precision.
TOLERANCES = {"filters": 5e-6, "eigenvalues": 1e-11, "inertia": 1e-11, "shares": 0, "n_iter": 0}


@pytest.mark.parametrize(
    "configuration", CONFIGURATIONS[1:], ids=lambda c: f"{'held' if c[0] else 'native'}-{c[1]}"
)
def test_filters_are_the_same_by_any_path(found, configuration):
    one, two = found[CONFIGURATIONS[0]], found[configuration]
    assert one.keys() == two.keys() and len(one) > 50
    for name, value in one.items():
        allowed = TOLERANCES[name.rsplit("/", 1)[1]] * np.abs(value).max()
        np.testing.assert_allclose(two[name], value, rtol=0, atol=allowed, err_msg=name)


@pytest.mark.parametrize("method", [kmeans, kmedoids, kmedians])
def test_last_bits_tip_nothing_where_distances_tie(method, monkeypatch):
    """Patches of black and white pixels, of which many are as far from one seed as from another."""
    images = (torch.rand(20, 1, 14, 14, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    patches = extract_patches(images, 3)
    blocks = clusters.standardized_blocks

    def rounded_otherwise(seed):
        draws = np.random.default_rng(seed)

        def moved(patches):
            for rows in blocks(patches):
                bits = torch.from_numpy(draws.standard_normal(rows.shape))
                yield rows * (1 + 1e-15 * bits)

        return moved

    banks = [method(patches, 8, generator=torch.Generator().manual_seed(0))]
    for seed in range(1, 6):
        monkeypatch.setattr(clusters, "standardized_blocks", rounded_otherwise(seed))
        banks.append(method(patches, 8, generator=torch.Generator().manual_seed(0)))
    for bank in banks[1:]:
        assert torch.equal(bank.shares, banks[0].shares) and bank.n_iter == banks[0].n_iter
        torch.testing.assert_close(bank.filters, banks[0].filters, atol=1e-6, rtol=0)


def test_signs_do_not_hang_on_the_last_bit():
    row = torch.tensor([[0.1, -0.5, 0.5, 0.3], [0.0, 0.2, -0.7, 0.1], [0.0] * 4]).double()
    expected = row * torch.tensor([[-1.0], [-1.0], [1.0]])
    for nudge in (-1e-12, 0, 1e-12):
        for sign in (-1, 1):
            moved = sign * row.clone()
            moved[0, 1] += nudge
            torch.testing.assert_close(fix_signs(moved), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("entry, sign", [(-0.99, 1), (-0.9995, -1)])
def test_the_entry_that_is_larger_by_more_than_the_tolerance_decides(entry, sign):
    row = torch.tensor([[entry, 1.0]])
    torch.testing.assert_close(fix_signs(row), sign * row)
