"""Charts of runs: where things are drawn, in which colour, under which label."""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from companion.evidence.comparisons import Accuracy
from companion.evidence.estimates import MeanSquares, Residual
from companion.evidence.outcomes import ACCURACY_MARGIN
from companion.evidence.specifications import Specification
from companion.evidence.stages import stage_by_letter
from companion.intervals import Estimate, Interval, mean_estimate, mean_interval
from companion.pages.charts import (
    ForestRow,
    forest,
    labels_at_right,
    mark_drop,
    seed_curves,
    specification_curve,
    spread_out,
    stage_panels,
)
from companion.pages.style import METHOD_COLORS, METHOD_LABELS, METHOD_MARKERS, use_style
from companion.runs.settings import Settings
from patchinit import METHODS


@pytest.fixture(autouse=True)
def ax():
    plt.switch_backend("Agg")
    yield plt.subplots()[1]
    plt.close("all")


def colors(artists):
    return {to_rgb(artist.get_color()) for artist in artists}


def color_of(method):
    return to_rgb(METHOD_COLORS[method])


# --- seed_curves ------------------------------------------------------------------------------

VALUES = np.array([[1.0, 2.0, 4.0], [3.0, 4.0, 6.0], [2.0, 6.0, 5.0]])  # 3 seeds, 3 epochs


def test_seed_curves_are_every_seed_and_the_mean(ax):
    seed_curves(VALUES, ax=ax, method="glorot_uniform")
    *thin, thick = ax.lines
    np.testing.assert_allclose([line.get_ydata() for line in thin], VALUES)
    np.testing.assert_allclose(thick.get_ydata(), [2, 4, 5])
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in ax.lines)
    assert thick.get_linewidth() > max(line.get_linewidth() for line in thin)
    assert colors(ax.lines) == {color_of("glorot_uniform")}
    assert ax.get_legend_handles_labels()[1] == [METHODS["glorot_uniform"].label]
    assert thick.get_marker() == METHOD_MARKERS["glorot_uniform"]
    assert {line.get_marker() for line in thin} == {"None"}
    assert not ax.collections, "no band unless asked for"


def test_means_are_told_apart_without_colours(ax):
    for method in METHODS:
        seed_curves(np.ones((1, 250)), ax=ax, method=method)
    means = [line for line in ax.lines if line.get_label() in METHOD_LABELS.values()]
    first, every = zip(*(line.get_markevery() for line in means), strict=True)
    assert len(set(first)) == len(METHODS), "no marker hides another's"
    assert set(every) == {50}


def test_seed_curves_take_another_x_label_and_line(ax):
    line = {"color": "black", "linestyle": "--"}
    seed_curves(VALUES, ax=ax, method="kmeans", x=[0, 10, 20], label="frozen", **line)
    assert list(ax.lines[-1].get_xdata()) == [0, 10, 20]
    assert ax.lines[-1].get_label() == "frozen" and ax.lines[-1].get_linestyle() == "--"
    assert colors(ax.lines) == {to_rgb("black")}


def test_band_is_the_interval_of_each_epoch_and_none_of_one_seed(ax):
    seed_curves(VALUES[:1], ax=ax, method="kmeans", interval=True)
    assert not ax.collections
    seed_curves(VALUES, ax=ax, method="kmeans", interval=True)
    (band,) = ax.collections
    assert to_rgb(band.get_facecolor()[0]) == color_of("kmeans")
    corners = band.get_paths()[0].vertices
    for epoch, values in enumerate(VALUES.T, start=1):
        wanted, there = mean_interval(values), corners[corners[:, 0] == epoch, 1]
        np.testing.assert_allclose([there.min(), there.max()], [wanted.low, wanted.high])


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

    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["one", "two"]
    assert ax.get_yticks().tolist() == [0, 1] and ax.get_ylim()[0] > ax.get_ylim()[1]
    (band,) = ax.patches
    assert band.get_x() == -0.2 and band.get_width() == pytest.approx(0.4)
    assert [text.get_text() for text in ax.texts] == ["4: supported", ""]

    zero, dots, mean, paper, other, *second = ax.lines
    assert list(zero.get_xdata()) == [0, 0]
    np.testing.assert_allclose(dots.get_xdata(), large.differences)
    assert [float(line.get_xdata()[0]) for line in (mean, paper, other)] == [
        large.estimate.value, 0.09, small.estimate.value,
    ]  # fmt: skip
    assert all(abs(line.get_ydata()[0]) < 0.5 for line in (mean, paper, other)), "in their row"
    assert mean.get_ydata()[0] == paper.get_ydata()[0] < other.get_ydata()[0]
    assert to_rgb(other.get_markerfacecolor()) == to_rgb("white"), "the other stage is hollow"
    assert colors([dots, mean, other]) == {color_of("principal_components")}
    assert colors(second) == {color_of("random_patches")}

    first, beneath = ax.collections  # two pairs have no interval that is worth drawing
    interval = large.estimate.interval()
    (segment,) = first.get_segments()
    np.testing.assert_allclose(segment[:, 0], [interval.low, interval.high])
    assert first.get_linewidth()[0] > beneath.get_linewidth()[0]


def test_forest_of_one_seed_in_the_band_that_the_rules_take_for_no_difference(ax):
    forest([ForestRow("k-means", "kmeans", [difference([0.3])], [None])], ax=ax)
    assert not ax.collections and len(ax.lines) == 3
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


# --- stage_panels -----------------------------------------------------------------------------


def stages(n):
    """So many stages; their panels need no runs."""
    letters = [("D", "cifar10"), ("B", "cifar10"), ("A", "fashion_mnist"), ("B", "fashion_mnist")]
    return [stage_by_letter(letter, {}, dataset) for letter, dataset in letters[:n]]


@pytest.mark.parametrize(("n", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (3, 2, 2), (4, 2, 2)])
def test_a_panel_for_each_stage_two_side_by_side(n, rows, columns):
    figure, axes = stage_panels(stages(n), height=2.0)
    assert [ax.get_title() for ax in axes] == [on.label for on in stages(n)]
    assert axes == figure.axes  # none is left empty
    grid = axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == (rows, columns)
    assert figure.get_size_inches().tolist() == pytest.approx([7.2, 2.0 * rows])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_rows_of_panels_have_the_stages_in_columns_whose_titles_do_not_touch(n):
    """Of a data set with a long name, in the book's own size of letters."""
    with plt.rc_context():
        use_style()
        longest = sorted(stages(4), key=lambda on: -len(on.label))[:1] * n
        figure, axes = stage_panels(longest, rows=2, height=2.0, sharex=True)
        figure.canvas.draw()
        boxes = [ax.title.get_window_extent() for ax in axes[:n]]
        assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))
    assert axes == figure.axes and [bool(ax.get_title()) for ax in axes] == [True] * n + [False] * n
    axes[0].set_xlim(0, 7)
    assert axes[-1].get_xlim() == (0, 7)
    assert figure.get_size_inches().tolist() == pytest.approx([7.2, 4.0])


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
