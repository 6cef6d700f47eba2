"""Clouds to compare patches with; valleys are found where there are some, and only there."""

import pytest
import torch
from sklearn.cluster import KMeans

from companion.argument.modes import (
    captured_share,
    empty_share,
    gaussian_like,
    modes_hold,
    spread_holds,
    standard_points,
    uniform_like,
    valleys,
    valleys_within,
)
from companion.claims import MIXED
from companion.intervals import Interval


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def patches(n=400, seed=0):
    return torch.rand(n, 1, 3, 3, generator=generator(seed)).cumsum(-1)


def certain(value):
    return Interval(value, value - 1e-9, value + 1e-9, 4)


@pytest.mark.parametrize("make", [uniform_like, gaussian_like])
def test_clouds_lie_on_the_sphere_of_standardised_patches(make):
    points = standard_points(patches())
    cloud = make(points, 500, generator=generator())
    assert cloud.shape == (500, 9)
    assert torch.allclose(cloud.norm(dim=1), torch.tensor(3.0).double())
    assert cloud.mean(1).abs().max() < 1e-6
    assert torch.equal(cloud, make(points, 500, generator=generator()))


def test_the_gaussian_has_the_covariance_of_the_points():
    points = standard_points(patches(2000))
    cloud = gaussian_like(points, 2000, generator=generator())
    wanted = torch.cov(points.T)
    assert (torch.cov(cloud.T) - wanted).norm() < 0.01 * wanted.norm()
    assert torch.allclose(cloud.mean(0), points.mean(0), atol=0.01)


def test_two_clumps_have_a_valley_and_one_broad_clump_has_none():
    a, b = torch.tensor([[1.0, 1, -2, 0], [2.0, -1, -1, 0]]).double()
    near = 0.05 * torch.randn(2, 200, 4, generator=generator()).double()
    parted = torch.cat([a + near[0], b + near[1]])
    places = torch.rand(400, 1, generator=generator()).double()
    filled = a + places * (b - a) + 0.05 * torch.randn(400, 4, generator=generator()).double()
    centres = torch.stack([a, b])
    on_sphere = [2 * x / x.norm(dim=1, keepdim=True) for x in (parted, filled)]
    assert valleys(centres, on_sphere[0]).all()
    assert not valleys(centres, on_sphere[1]).any()
    assert not valleys(5 * centres, on_sphere[1]).any(), "the length of a centre does not matter"


def test_points_of_two_clusters_alone_leave_a_gap_even_in_an_even_spread():
    even = uniform_like(torch.empty(0, 27), 4000, generator=generator())
    centres = KMeans(27, random_state=0).fit(even[:2000].numpy()).cluster_centers_
    centres = torch.from_numpy(centres)
    assert valleys_within(centres, even[:2000]).all()
    assert not valleys(centres, even[2000:]).any()


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="points has 5 rows; k=20"):
        valleys(torch.eye(4)[:2], torch.eye(4).repeat(2, 1)[:5])


def test_an_even_spread_leaves_no_part_of_the_sphere_empty_and_a_clump_does():
    even = [uniform_like(torch.empty(0, 9), 1000, generator=generator(seed)) for seed in range(3)]
    assert empty_share(*even) < 3
    clump = even[0][0] + 0.1 * even[1]
    assert empty_share(clump[:500], clump[500:], even[2]) > 95


def test_centroids_that_are_the_points_capture_all_and_zero_captures_nothing():
    points = standard_points(patches(20))
    assert captured_share(points, points) == pytest.approx(100)
    assert captured_share(torch.zeros(1, 9), points) == pytest.approx(0)


@pytest.mark.parametrize(
    ("values", "outcome"),
    [((60, 99, 70), True), ((0, 1, 20), False), ((60, 99, 30), MIXED), ((60, 1, 30), False)],
)
def test_claim_19_needs_dense_and_empty_places_and_cover(values, outcome):
    assert spread_holds(*map(certain, values)) == outcome


def test_modes_need_more_valleys_than_the_gaussian_by_a_margin():
    assert modes_hold(certain(30)) is True
    assert modes_hold(certain(3)) is False
    assert modes_hold(Interval(12, 2, 22, 4)) is None
