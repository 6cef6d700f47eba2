"""k-means in two precisions decides as float64 alone does."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from patchinit.filters import kmeans, lloyd
from patchinit.filters.lloyd import Points


def points_of(rows):
    rows = np.asarray(rows, dtype=np.float64)
    return Points(iter(np.array_split(rows, 3)), len(rows), rows.shape[1])


def data_sets():
    draw = np.random.default_rng(0)
    planted = 3 * draw.standard_normal((9, 20))
    yield "blobs", planted[draw.integers(9, size=5000)] + draw.standard_normal((5000, 20)), 9
    yield "no clusters", draw.standard_normal((3000, 147)), 16
    yield "far from the origin", 1000 + draw.standard_normal((2000, 5)), 6
    yield "one value", draw.standard_normal((500, 1)), 7
    yield "of two scales", draw.standard_normal((2000, 8)) * 10.0 ** draw.integers(-3, 3, 8), 10
    few = draw.integers(2, size=(4000, 6)) + 1e-8 * draw.random((4000, 6))
    yield "few distinct, moved a little", few, 12
    yield "as many points as clusters", draw.standard_normal((5, 4)), 5
    yield "one cluster", draw.standard_normal((50, 4)), 1
    yield "more than a block", draw.standard_normal((2 * lloyd.BLOCK // 27 + 1, 27)), 20


DATA = list(data_sets())
NAMES = [name for name, *_ in DATA]


def plain(rows, centres, max_iter=1000):
    """Lloyd's iterations written down: centres, labels and iterations."""
    labels, n_iter = None, 0
    while n_iter < max_iter:
        n_iter += 1
        former = labels
        labels = cdist(rows, centres, "sqeuclidean").argmin(1)
        means = np.stack([rows[labels == k].mean(0) for k in range(len(centres))])
        way, centres = np.square(means - centres).sum(), means
        if former is not None and (labels == former).all():
            break
        if way <= lloyd.TOLERANCE * rows.var(0).mean():
            labels = cdist(rows, centres, "sqeuclidean").argmin(1)
            break
    return centres, labels, n_iter


@pytest.mark.parametrize("name, rows, k", DATA, ids=NAMES)
def test_as_plain_float64(name, rows, k):
    points = points_of(rows)
    exact = points.exact(slice(None))
    np.testing.assert_allclose(exact, rows, rtol=2.0**-47, atol=0)
    found = lloyd.lloyd(points, k, n_init=1, max_iter=1000, seed=1)
    seeds, _ = lloyd._seeds(points, k, np.random.RandomState(1))
    centres, labels, n_iter = plain(exact, seeds)
    assert (found.labels == labels).all() and found.n_iter == n_iter
    np.testing.assert_allclose(found.centres, centres, rtol=1e-11, atol=1e-11 * np.abs(rows).max())
    inertia = np.square(exact - centres[labels]).sum()
    assert found.inertia == pytest.approx(inertia, rel=1e-9, abs=1e-20)


@pytest.mark.parametrize("n_init", [1, 3])
@pytest.mark.parametrize("name, rows, k", DATA, ids=NAMES)
def test_as_scikit_learn(name, rows, k, n_init):
    if name == "far from the origin":
        rows = rows - rows.mean(0)  # as scikit-learn does, and seeds would round otherwise
    found = lloyd.lloyd(points_of(rows), k, n_init=n_init, max_iter=1000, seed=5)
    fit = KMeans(k, n_init=n_init, max_iter=1000, random_state=5).fit(rows)
    if name != "few distinct, moved a little":  # there whole clusters tie with each other
        assert (found.labels == fit.labels_).all() and found.n_iter == fit.n_iter_
        np.testing.assert_allclose(found.centres, fit.cluster_centers_, atol=1e-10, rtol=1e-10)
    assert found.inertia == pytest.approx(fit.inertia_, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("apart", [1e-8, 1e-10])
def test_points_near_a_bisector_are_decided_as_float64_decides(apart):
    """Float32 can't tell on which side of x_0 = 0 they lie; all have two centres as near."""
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((4000, 147))
    rows *= np.sqrt(147) / np.linalg.norm(rows, axis=1, keepdims=True)
    side = draw.choice([-1, 1], size=4000)
    rows[:, 0] = apart * side
    middle = rows[:, 1:].mean(0) + 0.1 * draw.standard_normal(146)
    centres = np.stack([np.r_[sign, middle] for sign in (-1.0, 1.0)])
    turn, _ = np.linalg.qr(draw.standard_normal((147, 147)))  # so that no axis is special
    points, centres = points_of(rows @ turn), centres @ turn
    likeness = centres.astype(np.float32) @ points.high.T
    likeness -= np.float32(np.square(centres).sum(1) / 2)[:, None]
    assert ((likeness.argmax(0) > 0) != (side > 0)).mean() > 0.1, "float32 alone errs here"
    labels, lead = np.zeros(4000, dtype=np.intp), np.full(4000, -np.inf)
    counts = np.array([4000, 0])
    sums = lloyd._sums(points, labels, 2)
    moved = lloyd._assign_(points, centres, labels, lead, sums, counts)
    assert ((labels > 0) == (side > 0)).all()
    assert moved == counts[1] == (side > 0).sum() and (lead <= lloyd.LEAST_LEAD).all()
    np.testing.assert_allclose(sums, lloyd._sums(points, labels, 2), atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 27, 147, 2000])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_the_bound_holds(d, offset):
    draw = np.random.default_rng(d)
    points = points_of(offset + draw.standard_normal((500, d)))
    centres = offset + draw.standard_normal((20, d))
    halves = np.square(centres).sum(1) / 2
    likeness = centres.astype(np.float32) @ points.high.T - halves.astype(np.float32)[:, None]
    exact = centres @ points.exact(slice(None)).T - halves[:, None]
    bound = points.error(np.sqrt(2 * halves.max()))
    assert np.abs(likeness - exact).max() < bound < 2e-7 * (d + 5) * d * (offset + 3) ** 2


def test_a_lead_is_never_more_than_the_distances_say():
    draw = np.random.default_rng(0)
    points = points_of(draw.standard_normal((2500, 10)))
    centres = draw.standard_normal((8, 10))
    labels, lead = np.zeros(2500, dtype=np.intp), np.full(2500, -np.inf)
    sums, counts = lloyd._sums(points, labels, 8), np.bincount(labels, minlength=8)
    lloyd._assign_(points, centres, labels, lead, sums, counts)
    distances = np.linalg.norm(points.exact(slice(None))[:, None] - centres, axis=2)
    nearest, second = np.sort(distances, axis=1)[:, :2].T
    assert (labels == distances.argmin(1)).all()
    assert (lead <= second - nearest).all() and (lead > second - nearest - 1e-3).mean() > 0.9


def test_empty_clusters_get_the_farthest_point():
    rows = np.random.default_rng(0).standard_normal((600, 3))
    centres = np.concatenate([rows[:4], [[50.0, 50, 50]]])
    fit = KMeans(5, init=centres, n_init=1, max_iter=1000).fit(rows)
    points = points_of(rows)
    labels = np.square(rows[:, None] - centres).sum(2).argmin(1)
    assert 4 not in labels
    found = lloyd._iterate(points, centres, labels, 1000)
    assert (found.labels == fit.labels_).all() and found.n_iter == fit.n_iter_
    np.testing.assert_allclose(found.centres, fit.cluster_centers_, atol=1e-12)


def test_float64_patches_and_bad_numbers(images, generator):
    patches = torch.nn.functional.unfold(images, 3).transpose(1, 2).reshape(-1, 3, 3, 3)
    banks = [
        kmeans(given, 5, generator=torch.Generator().manual_seed(0))
        for given in (patches, patches.double())
    ]
    assert torch.equal(banks[0].filters, banks[1].filters)
    for options in ({"max_iter": 0}, {"n_init": 0}):
        with pytest.raises(ValueError, match="should be >= 1"):
            kmeans(patches, 5, **options)
