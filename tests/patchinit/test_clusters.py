"""Clusterings against scikit-learn, planted clusters and their own definitions."""

import sys

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch.nn.functional import normalize

from patchinit.filters import clusters, kmeans, kmedians, kmedoids
from patchinit.patches import extract_patches, standardize_patches

ALL = [kmeans, kmedoids, kmedians]


@pytest.fixture
def patches(images):
    return extract_patches(images, 3)


@pytest.fixture
def planted(generator):
    """300 patches around five standardised directions, and those directions."""
    directions = standardize_patches(torch.rand(5, 1, 3, 3, generator=generator)).patches
    labels = torch.arange(300) % 5
    return directions[labels] + 0.05 * torch.randn(300, 1, 3, 3, generator=generator), directions


@pytest.mark.parametrize("method", ALL)
def test_planted_clusters_are_found(planted, method, generator):
    patches, directions = planted
    options = {"n_init": 10} if method is kmeans else {}
    banks = [method(patches, 5, generator=generator, **options) for _ in range(5)]
    best = min(banks, key=lambda bank: bank.inertia)
    cosines = best.filters.flatten(1) @ normalize(directions.flatten(1), dim=1).T
    assert cosines.max(1).values.min() > 0.99 and len(cosines.argmax(1).unique()) == 5
    torch.testing.assert_close(best.shares, torch.full((5,), 0.2, dtype=torch.float64))
    assert best.converged and best.n_patches == 300


def test_kmeans_is_scikit_learns(patches):
    bank = kmeans(patches, 8, norm=None, generator=torch.Generator().manual_seed(3))
    seed = int(torch.randint(2**31 - 1, (1,), generator=torch.Generator().manual_seed(3)))
    rows = standardize_patches(patches.double()).patches.flatten(1).numpy()
    fit = KMeans(8, n_init=1, random_state=seed).fit(rows)
    order = np.argsort(-np.bincount(fit.labels_), kind="stable")
    np.testing.assert_allclose(bank.filters.flatten(1), fit.cluster_centers_[order], atol=1e-5)
    assert bank.inertia == pytest.approx(fit.inertia_, rel=1e-5)


@pytest.mark.parametrize(
    "method, norm, power", [(kmeans, 2, 2), (kmedoids, 2, 1), (kmedians, 1, 1)]
)
def test_inertia_and_shares_are_what_they_say(patches, method, norm, power, generator):
    bank = method(patches, 6, norm=None, generator=generator)
    rows = standardize_patches(patches).patches.flatten(1).double()
    distances = torch.cdist(rows, bank.filters.flatten(1).double(), p=norm) ** power
    assert bank.n_patches == len(rows)
    assert bank.inertia == pytest.approx(distances.min(1).values.sum().item(), rel=1e-3)
    shares = torch.bincount(distances.argmin(1), minlength=6) / len(rows)
    torch.testing.assert_close(bank.shares, shares.double(), atol=0.01, rtol=0)
    assert (bank.shares.diff() <= 0).all()


def test_medoids_are_real_patches(patches, generator):
    bank = kmedoids(patches, 6, max_patches=500, norm=None, generator=generator)
    known = standardize_patches(patches).patches.flatten(1)
    exactly = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    nearest = torch.cdist(bank.filters.flatten(1), known, **exactly).min(1).values
    assert nearest.max() < 1e-6 and bank.n_patches == 500


def test_medians_are_medians_of_their_members(patches, generator):
    bank = kmedians(patches, 5, norm=None, tol=0.0, max_iter=500, generator=generator)
    rows, centres = standardize_patches(patches).patches.flatten(1), bank.filters.flatten(1)
    labels = torch.cdist(rows, centres, p=1).argmin(1)
    for k in range(5):
        torch.testing.assert_close(centres[k], rows[labels == k].median(0).values)


@pytest.mark.parametrize("method", [kmeans, kmedoids])
def test_filters_have_mean_zero(patches, method, generator):
    means = method(patches, 6, generator=generator).filters.flatten(1).mean(1)
    torch.testing.assert_close(means, torch.zeros(6), atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ALL)
def test_running_out_of_iterations_warns(patches, method, generator):
    words = f"{method.__name__} stopped at max_iter=1 before it converged"
    with pytest.warns(RuntimeWarning, match=words):
        bank = method(patches, 6, max_iter=1, generator=generator)
    assert not bank.converged


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda p: kmedoids(p, 6, max_patches=5), "max_patches=5 should be >= n_filters=6"),
        (lambda p: kmedians(p, 6, max_iter=0), "max_iter=0 should be >= 1"),
        *((lambda p, m=m: m(p[:4], 5), "n_filters=5 should be between 1 and 4") for m in ALL),
    ],
)
def test_bad_requests_are_named(patches, call, words):
    with pytest.raises(ValueError, match=words):
        call(patches)


def test_equally_large_clusters_stay_in_the_order_of_their_seeds():
    """Twice as many of one pattern as of the three others, which are equally many."""
    patterns = torch.nn.functional.one_hot(torch.arange(4), 9).float().reshape(4, 1, 3, 3)
    patches = patterns[torch.tensor([0, 1, 2, 3, 3] * 40)]
    orders = set()
    for seed in range(6):
        bank = kmeans(patches, 4, norm=None, generator=torch.Generator().manual_seed(seed))
        assert bank.shares.tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])
        drawn = int(torch.randint(2**31 - 1, (1,), generator=torch.Generator().manual_seed(seed)))
        points = clusters._points(patches, 4)[0].exact(slice(None))
        fit = KMeans(4, n_init=1, random_state=drawn).fit(points)
        by_seed = [pattern for pattern in fit.cluster_centers_.argmax(1).tolist() if pattern != 3]
        assert bank.filters.flatten(1).argmax(1).tolist() == [3, *by_seed]
        orders.add(tuple(by_seed))
    assert len(orders) > 1, "the order should follow the seeds"


def test_without_the_package_kmedoids_all_else_works(patches, generator, monkeypatch):
    monkeypatch.setitem(sys.modules, "kmedoids", None)  # as if it were not installed
    with pytest.raises(ImportError, match="pip install kmedoids"):
        kmedoids(patches, 4, generator=generator)
    assert len(kmeans(patches, 4, generator=generator)) == 4
    assert len(kmedians(patches, 4, generator=generator)) == 4


def test_the_patches_are_left_as_they_are(images, generator):
    for patches in (extract_patches(images, 3), extract_patches(images.double(), 3)):
        before = patches.clone()
        for method in ALL:
            method(patches, 4, generator=generator)
        assert torch.equal(patches, before)
