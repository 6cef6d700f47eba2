"""Charts of runs: where things are drawn, in which colour, under which label."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from companion.evidence.comparisons import Accuracy
from companion.evidence.estimates import MeanSquares, Residual
from companion.evidence.outcomes import ACCURACY_MARGIN
from companion.evidence.specifications import Specification
from companion.intervals import Estimate, Interval, mean_estimate
from companion.pages.charts import (
    ForestRow,
    forest,
    labels_at_right,
    mark_drop,
    specification_curve,
    spread_out,
)
from companion.pages.style import METHOD_COLORS
from companion.runs.settings import Settings


@pytest.fixture(autouse=True)
def ax():
    plt.switch_backend("Agg")
    yield plt.subplots()[1]
    plt.close("all")


def colors(artists):
    return {to_rgb(artist.get_color()) for artist in artists}


def color_of(method):
    return to_rgb(METHOD_COLORS[method])


# --- forest -----------------------------------------------------------------------------------


def difference(values, error=0.1):
    """An `Accuracy` of these pairs; `forest` asks it for nothing else."""
    values = np.array(values)
    n = len(values)
    found = Estimate(values.mean(), error, 8, n) if n > 1 else mean_estimate(values)
    squares = MeanSquares(found.value, 900.0, 600.0, n, 10_000)
    return Accuracy(found, squares, Residual(0.1, 8), (1, -1), values)


def test_forest(ax):
    large, small = difference([0.3, 0.5, 0.7]), difference([-0.6, -0.4, -0.5])
    rows = [
        ForestRow("one", "principal_components", (large, small), (0.09, None), "4: supported"),
        ForestRow("two", "random_patches", (difference([-0.6, -0.4]), None), (None, None)),
    ]
    forest(rows, ax=ax, margin=0.2)

    assert [text.get_text() for text in ax.texts] == ["one", "4: supported", "two", ""]
    assert not ax.get_yticks().size and ax.get_ylim()[0] > ax.get_ylim()[1]
    for place, band in enumerate(ax.patches):
        assert band.get_x() == -0.2 and band.get_width() == pytest.approx(0.4)
        label = ax.texts[2 * place].get_position()[1]
        assert place - 0.5 < label < band.get_y() < place < band.get_y() + band.get_height()
    assert len(ax.patches) == 2

    zero, *_ = ax.collections
    assert [list(at[:, 0]) for at in zero.get_segments()] == [[0, 0], [0, 0]]
    dots, mean, paper, other, *second = ax.lines
    np.testing.assert_allclose(dots.get_xdata(), large.differences)
    assert [float(line.get_xdata()[0]) for line in (mean, paper, other)] == [
        large.estimate.value, 0.09, small.estimate.value,
    ]  # fmt: skip
    assert all(abs(line.get_ydata()[0]) < 0.5 for line in (mean, paper, other)), "in their row"
    assert mean.get_ydata()[0] == paper.get_ydata()[0] < other.get_ydata()[0]
    assert to_rgb(other.get_markerfacecolor()) == to_rgb("white"), "the other stage is hollow"
    assert colors([dots, mean, other]) == {color_of("principal_components")}
    assert colors(second) == {color_of("random_patches")}

    _, first, beneath = ax.collections  # two pairs have no interval that is worth drawing
    interval = large.estimate.interval()
    (segment,) = first.get_segments()
    np.testing.assert_allclose(segment[:, 0], [interval.low, interval.high])
    assert first.get_linewidth()[0] > beneath.get_linewidth()[0]


def test_forest_of_one_seed_in_the_band_that_the_rules_take_for_no_difference(ax):
    forest([ForestRow("k-means", "kmeans", [difference([0.3])], [None])], ax=ax)
    assert len(ax.collections) == 1 and len(ax.lines) == 2, "no interval beside the zero"
    assert ax.patches[0].get_width() == pytest.approx(2 * ACCURACY_MARGIN)


# --- spread_out -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_moved_apart_no_further_than_they_must(seed):
    heights = np.random.default_rng(seed).uniform(0, 3, 7)
    moved = spread_out(heights, 0.4)
    order = np.argsort(heights)
    assert (np.diff(moved[order]) > 0.4 - 1e-9).all(), "apart, in the same order"
    cost = ((moved - heights) ** 2).sum()
    for other in np.random.default_rng(seed).normal(moved, 0.2, (500, 7)):
        if (np.diff(other[order]) >= 0.4).all():
            assert ((other - heights) ** 2).sum() > cost - 1e-9


def test_labels_that_are_apart_stay():
    np.testing.assert_allclose(spread_out([3.0, 1.0, 2.0], 0.5), [3, 1, 2])


# --- mark_drop --------------------------------------------------------------------------------


@pytest.mark.parametrize("note", [True, False])
def test_drop_is_between_two_epochs(ax, note):
    mark_drop(Settings(epochs=20, drop_after=15), ax=ax, note=note)
    (line,) = ax.lines
    assert list(line.get_xdata()) == [15.5, 15.5] and len(ax.texts) == note


def test_no_drop_in_a_shorter_run(ax):
    mark_drop(Settings(epochs=15, drop_after=15), ax=ax)
    assert not ax.lines and not ax.texts


# --- specification_curve ----------------------------------------------------------------------


def specification(estimate, over, registered=False, n=3, **choices):
    width = 0.5 if n > 1 else math.inf
    interval = Interval(estimate, estimate - width, estimate + width, n)
    return Specification({"over": over, "distance": "cosine"} | choices, interval, registered)


def test_specifications_rise_above_their_choices():
    rows = [
        specification(3.0, "mean", which="all"),
        specification(1.0, "median", which="last"),
        specification(2.0, "mean", registered=True, which="last"),
    ]
    above, beneath = specification_curve(rows, axes=plt.subplots(2)[1], unchanged=1)

    zero, *points = above.lines
    assert list(zero.get_ydata()) == [1, 1]
    assert [(*p.get_xdata(), *p.get_ydata()) for p in points] == [(0, 1.0), (1, 2.0), (2, 3.0)]
    segments = [bar.get_segments()[0] for bar in above.collections]
    np.testing.assert_allclose(segments, [[[x, x + 0.5], [x, x + 1.5]] for x in range(3)])

    # The distance is the same in all, so it has no line.
    labels = [label.get_text() for label in beneath.get_yticklabels()]
    assert labels == ["mean", "median", "all", "last"]
    *dots, between = beneath.lines
    assert [(d.get_xdata()[0], [labels[int(y)] for y in d.get_ydata()]) for d in dots] == [
        (0, ["median", "last"]),
        (1, ["mean", "last"]),
        (2, ["mean", "all"]),
    ]
    assert list(between.get_ydata()) == [1.5, 1.5]
    assert beneath.get_ylim()[0] > beneath.get_ylim()[1]
    assert above.get_xlim() == beneath.get_xlim()

    marked, others = [points[1], dots[1]], [points[0], points[2], dots[0], dots[2]]
    assert {point.get_marker() for point in marked} == {"D"}
    assert not colors(marked) & colors(others) and len(colors(marked)) == 1
    # At 390 of 1037 pixels, as on a phone, these are 9 high.
    assert {label.get_fontsize() for label in beneath.get_yticklabels()} == {12}


def test_a_specification_of_one_seed_has_no_interval():
    above, beneath = specification_curve([specification(2.0, "mean", n=1)], axes=plt.subplots(2)[1])
    assert not above.collections and len(above.lines) == 2 and not beneath.get_yticklabels()


def test_names_at_the_right_do_not_touch():
    _, ax = plt.subplots(figsize=(4, 2))
    ax.set(xlim=(0, 1), ylim=(0, 1))
    names = [(0.5, 0.50, "one", "red"), (0.5, 0.51, "two", "blue"), (0.5, 0.9, "far", "green")]
    made = labels_at_right(names, ax=ax, fontsize=10)
    assert [(m.get_text(), m.get_color()) for m in made] == [
        ("one", "red"), ("two", "blue"), ("far", "green"),
    ]  # fmt: skip
    boxes = [m.get_window_extent() for m in made]
    assert boxes[0].y1 <= boxes[1].y0 + 1, "in the order of their points"
    assert made[2].xyann[1] == pytest.approx(0), "what has room stays"
    assert boxes[0].x0 > ax.transData.transform((0.5, 0.5))[0]


def test_names_far_apart_along_the_axis_stay_where_they_are():
    _, ax = plt.subplots()
    made = labels_at_right([(0, 0.5, "left", "red"), (1, 0.5, "right", "blue")], ax=ax)
    assert [m.xyann[1] for m in made] == [0, 0]
