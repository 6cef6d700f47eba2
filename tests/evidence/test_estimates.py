"""The registered estimates against independent computations."""

import math

import numpy as np
import pytest
from scipy import stats

from companion.evidence.estimates import (
    MeanSquares,
    Residual,
    accuracy_estimate,
    mean_squares,
    pair_variance,
    pairs_needed,
    pooled_mean_estimate,
    pooled_residual,
    prediction_interval,
    welch_difference,
)
from companion.intervals import Estimate, mean_estimate


def test_mean_is_the_plain_t_interval():
    values = np.random.default_rng(0).normal(2, 1, 7)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    interval = mean_estimate(values).interval(0.9)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert interval.estimate == pytest.approx(values.mean())


def test_a_scale_is_turned_back():
    ratios = np.array([2.0, 3.0, 4.0, 2.5])
    interval = mean_estimate(np.log(ratios), math.exp).interval()
    assert interval.estimate == pytest.approx(stats.gmean(ratios))
    low, high = stats.ttest_1samp(np.log(ratios), 0).confidence_interval()
    assert (interval.low, interval.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_one_run_has_no_interval():
    interval = mean_estimate([3.0]).interval()
    assert interval.estimate == 3 and math.isinf(interval.high) and interval.n == 1


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="at least one run is needed"):
        mean_estimate([])


def test_residual_of_a_full_table_is_its_interaction():
    """For a full table least squares is the two-way analysis of variance."""
    table = np.random.default_rng(1).normal(size=(5, 4))  # arms, seeds
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    found = pooled_residual({(f"arm {a}", s): table[a, s] for a in range(5) for s in range(4)})
    assert found.freedom == 4 * 3
    assert found.variance == pytest.approx(np.square(rest).sum() / 12)


def test_residual_of_an_unbalanced_table():
    """Runs minus arms minus seeds plus one; an arm of one seed adds nothing."""
    rng = np.random.default_rng(2)
    runs = {(arm, s): rng.normal() for arm, n in (("a", 6), ("b", 6), ("c", 3)) for s in range(n)}
    alone = pooled_residual(runs)
    assert alone.freedom == 15 - 3 - 6 + 1
    assert pooled_residual(runs | {("d", 0): 7.0}).variance == pytest.approx(alone.variance)
    shifted = {key: value + 10 * (key[0] == "b") + 3 * key[1] for key, value in runs.items()}
    assert pooled_residual(shifted).variance == pytest.approx(alone.variance)


def test_residual_of_pairs_is_half_the_variance_of_their_difference():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 6))
    found = pooled_residual(
        {(name, s): of[s] for name, of in (("a", a), ("b", b)) for s in range(6)}
    )
    assert 2 * found.variance == pytest.approx(np.var(a - b, ddof=1))


def test_no_freedom_is_named():
    with pytest.raises(ValueError, match="at least two arms with two seeds in common"):
        pooled_residual({("a", 0): 1.0, ("b", 1): 2.0})


def drawn(n=4, n_images=300, seed=0):
    rng = np.random.default_rng(seed)
    easy = rng.uniform(0.3, 1, n_images)
    return [rng.uniform(size=(n, n_images)) < easy for _ in range(2)]


def test_mean_squares_are_those_of_the_two_way_table():
    one, other = drawn()
    found = mean_squares([one, other], [1, -1])
    z = 100 * (one.astype(float) - other)
    total = np.square(z - z.mean()).sum()
    seeds = 300 * np.square(z.mean(1) - z.mean()).sum()
    images = 4 * np.square(z.mean(0) - z.mean()).sum()
    assert found.images == pytest.approx(images / 299)
    assert found.rest == pytest.approx((total - seeds - images) / (3 * 299))
    assert found.mean == pytest.approx(100 * (one.mean() - other.mean()))


def test_arms_of_other_images_are_refused():
    one, other = drawn()
    with pytest.raises(ValueError, match="equal shapes, are needed"):
        mean_squares([one, other[:, :200]], [1, -1])
    with pytest.raises(ValueError, match="one weight for each arm"):
        mean_squares([one, other], [1])


def test_the_formula_by_hand():
    squares = MeanSquares(mean=0.5, images=900.0, rest=600.0, n_seeds=4, n_images=10_000)
    residual = Residual(0.08, 12)
    between = max(0.08 * 2, 0.06) / 4  # 0.04
    variance = between + (900 - 600) / 40_000  # 0.0475
    freedom = variance**2 / (
        between**2 / 12 + (900 / 40_000) ** 2 / 9_999 + (600 / 40_000) ** 2 / (3 * 9_999)
    )
    found = accuracy_estimate(squares, residual)
    assert found.error == pytest.approx(math.sqrt(variance))
    assert found.freedom == pytest.approx(freedom)
    half = stats.t.ppf(0.989, freedom) * math.sqrt(variance)
    assert found.interval(0.978).high == pytest.approx(0.5 + half)


def test_where_images_do_not_matter_it_is_the_paired_t_interval():
    """Each seed right on a share of the images that is its own, and no arms but the two."""
    shares = np.array([[0.2, 0.9, 0.4, 0.5], [0.3, 0.6, 0.2, 0.1]])
    z = 100 * (shares[0] - shares[1])
    residual = pooled_residual({(str(a), s): 100 * shares[a, s] for a in (0, 1) for s in range(4)})
    squares = MeanSquares(z.mean(), images=0.0, rest=0.0, n_seeds=4, n_images=50)
    low, high = stats.ttest_rel(*(100 * shares)).confidence_interval()
    found = accuracy_estimate(squares, residual).interval()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_where_seeds_agree_it_is_the_t_interval_of_the_images():
    """All seeds right on the same images: with s squared 0, only images vary."""
    one, other = (np.tile(arm[:1], (3, 1)) for arm in drawn())
    squares = mean_squares([one, other], [1, -1])
    low, high = stats.ttest_rel(100.0 * one[0], 100.0 * other[0]).confidence_interval()
    found = accuracy_estimate(squares, Residual(0.0, 2)).interval()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_images_alone_prove_a_noise():
    """Seeds that agree by luck do not make the interval shorter than independent errors would."""
    squares = MeanSquares(0.5, 900.0, 3_000.0, 3, 10_000)
    lucky = Residual(1e-6, 8)
    assert pair_variance(squares, lucky, (1, -1)) == pytest.approx(0.3)
    assert pair_variance(squares, Residual(0.5, 8), (1, -1)) == pytest.approx(1.0)
    assert pair_variance(squares, Residual(0.5, 8), (1, -1, -1, 1)) == pytest.approx(2.0)


def test_prediction_is_wider_than_the_interval_of_the_seeds():
    squares = MeanSquares(0.5, 600.0, 600.0, 6, 10_000)
    residual = Residual(0.08, 20)
    found = prediction_interval(squares, residual)
    half = stats.t.ppf(0.975, 20) * math.sqrt(0.16 * (1 / 6 + 1 / 3))
    assert found.high - found.estimate == pytest.approx(half)


def test_speed_pools_the_residual():
    found = pooled_mean_estimate([0.1, 0.3, 0.2], Residual(0.02, 10))
    assert found.error == pytest.approx(math.sqrt(0.04 / 3)) and found.freedom == 10


def test_welch_is_scipys():
    rng = np.random.default_rng(4)
    a, b = rng.normal(1, 1, 6), rng.normal(0, 3, 3)
    found = welch_difference(mean_estimate(a), mean_estimate(b))
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (found.interval().low, found.interval().high) == pytest.approx(tuple(interval))
    as_correlations = (mean_estimate(x, math.tanh) for x in (a, b))
    fisher = welch_difference(*as_correlations).interval()
    assert fisher == found.interval(), "a difference on Fisher's scale is not turned back"


def test_pairs_needed_are_those_of_the_page():
    """The registered table: 90 and 157 pairs for 0.09 pp, at spreads of 0.3 and 0.4 pp."""
    quiet = MeanSquares(mean=0.1, images=200.0, rest=100.0, n_seeds=6, n_images=10_000)
    for spread, wanted in ((0.3, 90), (0.4, 157)):
        best, least, most = pairs_needed(0.09, quiet, Residual(spread**2 / 2, 20))
        assert best == wanted and least < best < most


def test_pairs_needed_are_never_fewer_than_the_images_prove():
    """Seeds that agree by luck: the images alone make a pair's spread 0.3 pp, at both ends."""
    noisy = MeanSquares(mean=0.1, images=900.0, rest=900.0, n_seeds=3, n_images=10_000)
    assert pairs_needed(0.09, noisy, Residual(1e-6, 8)) == (90, 90, 90)


def test_two_way_interval_covers():
    """Seeds and images drawn anew: the interval holds the truth in at least 95 of 100 cases."""
    rng = np.random.default_rng(5)
    n, n_images, truth, trials = 4, 400, 0.0, 400
    inside = 0
    for _ in range(trials):
        image = rng.normal(0, 20, n_images)  # in the difference, pp
        runs = {}
        seed_effect = rng.normal(0, 1, n)
        finals = {arm: rng.normal(0, 1, n) for arm in "abcd"}
        for arm, of in finals.items():
            runs |= {(arm, s): of[s] + seed_effect[s] for s in range(n)}
        noise = rng.normal(0, 10, (n, n_images))
        z = truth + image + (finals["a"] - finals["b"])[:, None] + noise - noise.mean(1)[:, None]
        by_image = z.mean(0)
        rest = z - by_image - z.mean(1)[:, None] + z.mean()
        squares = MeanSquares(
            z.mean(), n * by_image.var(ddof=1), np.square(rest).sum() / ((n - 1) * (n_images - 1)),
            n, n_images,
        )  # fmt: skip
        interval = accuracy_estimate(squares, pooled_residual(runs)).interval()
        inside += interval.low <= truth <= interval.high
    assert inside / trials > 0.92


def test_estimates_at_two_levels_share_their_middle():
    one = Estimate(0.4, 0.1, 5, 4)
    assert one.interval(0.95).estimate == one.interval(0.99).estimate
    assert one.interval(0.99).high > one.interval(0.95).high
