"""Figures: drawn on the Axes given, with the colours, labels and scales that they promise."""

import base64
import io
import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from companion.pages.pictures import (
    activation_strip,
    before_after,
    filter_grid,
    patch_grid,
    shared_scale,
    show_image,
    spectrum,
    typical_image,
)
from companion.pages.style import (
    METHOD_COLORS,
    METHOD_LABELS,
    METHOD_MARKERS,
    _svg_and_png,
    use_style,
)
from patchinit import METHODS


@pytest.fixture(autouse=True)
def closed():
    """No window opens; no figure and no setting outlives its test."""
    plt.switch_backend("Agg")
    with mpl.rc_context():
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def rand(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


CALLS = {
    "filter_grid": lambda ax, c: filter_grid(rand(20, c, 3, 3) - 0.5, ax=ax, title="t"),
    "patch_grid": lambda ax, c: patch_grid(rand(5, c, 4, 4), ax=ax, title="t"),
    "activation_strip": lambda ax, c: activation_strip(
        rand(c, 3, 3) - 0.5, rand(4, c, 3, 3), rand(4), ax=ax
    ),
    "before_after": lambda ax, c: before_after(
        rand(20, c, 3, 3), rand(20, c, 3, 3), rand(20), ax=ax
    ),
    "show_image": lambda ax, c: show_image(rand(c, 4, 5), ax=ax, title="t"),
    "spectrum": lambda ax, c: spectrum(torch.tensor([3.0, 1.0, 0.0]), ax=ax),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("call", CALLS)
def test_axes_in_axes_out(call, channels):
    figure, (ax, other) = plt.subplots(1, 2)
    assert CALLS[call](ax, channels) is ax
    assert ax.has_data() and not other.has_data()
    assert plt.get_fignums() == [figure.number] and figure.axes == [ax, other]
    figure.canvas.draw()


@pytest.mark.parametrize("call", list(CALLS)[1:5])
def test_two_channels_are_refused(ax, call):
    with pytest.raises(ValueError, match="C=2 channels"):
        CALLS[call](ax, 2)


def test_every_method_has_its_own_colour_marker_and_label():
    assert set(METHOD_COLORS) == set(METHOD_MARKERS) == set(METHOD_LABELS) == set(METHODS)
    assert len(set(METHOD_MARKERS.values())) == len(METHODS)
    assert len({to_rgb(color) for color in METHOD_COLORS.values()}) == len(METHODS)
    assert len(set(METHOD_LABELS.values())) == len(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_colours_are_seen_on_white(method):
    """WCAG 2.1, 1.4.11: a contrast of more than 3 to 1."""
    values = np.array(to_rgb(METHOD_COLORS[method]))
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    assert 1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05) > 3


def shown(ax):
    """Each image's pixels as they are drawn, RGBA from 0 to 1, left to right and top to bottom."""
    images = sorted(ax.images, key=lambda image: (-image.get_extent()[2], image.get_extent()[0]))
    return [image.to_rgba(image.get_array())[..., :3] for image in images]


@pytest.mark.parametrize("scale, expected", [(None, 0.5), (2.0, 2.0)])
@pytest.mark.parametrize("channels, zero", [(3, "mid-grey"), (1, "white")])
def test_filters_share_one_symmetric_scale_that_is_stated(ax, channels, zero, scale, expected):
    filters = torch.zeros(3, channels, 2, 2)
    filters[0] = 0.1
    filters[1] = -0.5
    filter_grid(filters, ax=ax, scale=scale)
    assert ax.get_xlabel() == f"colour scale −{expected:g} to +{expected:g}, {zero} = 0"
    first, second, third = shown(ax)
    grey = 0.5 if channels == 3 else 1
    np.testing.assert_allclose(third, grey, atol=0.04)  # the palest of RdBu is 0.97
    if channels == 3:
        np.testing.assert_allclose(first, (0.1 / expected + 1) / 2, atol=1e-6)
        np.testing.assert_allclose(second, (-0.5 / expected + 1) / 2, atol=1e-6)
    else:
        assert (first[..., 0] > first[..., 2]).all() and (second[..., 2] > second[..., 0]).all()


def test_a_bank_of_zeros_and_one_with_a_gradient_can_be_drawn(ax):
    filter_grid(torch.zeros(2, 3, 3, 3), ax=ax)
    np.testing.assert_allclose(np.stack(shown(ax)), 0.5)
    filter_grid(torch.nn.Conv2d(3, 4, 3).weight, ax=ax)


def test_a_grid_is_read_like_a_page(ax):
    patches = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 2) / 4
    patch_grid(patches, ax=ax, n_cols=2)
    assert [image[0, 0, 0] for image in shown(ax)] == pytest.approx(
        [0, 0.25, 0.5, 0.75, 1], abs=0.01
    )
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 2), (0, 3))


def test_patches_of_8_bits_are_those_over_255():
    one, two = plt.subplots(1, 2)[1]
    stored = (rand(4, 3, 3, 3) * 255).to(torch.uint8)
    patch_grid(stored, ax=one)
    patch_grid(stored / 255, ax=two)
    np.testing.assert_allclose(np.stack(shown(one)), np.stack(shown(two)))


def test_strip_writes_every_value_and_what_it_is(ax):
    values = torch.tensor([-0.25, 0.0, 1.5])
    activation_strip(rand(3, 3, 3), rand(3, 3, 3, 3), values, ax=ax, unit="cosine")
    written = {text.get_text() for text in ax.texts}
    assert {"−0.25", "+0.00", "+1.50", "cosine"} <= written and len(ax.images) == 4
    with pytest.raises(ValueError, match="shorter"):
        activation_strip(rand(3, 3, 3), rand(4, 3, 3, 3), rand(3), ax=ax)


def test_before_after_shows_directions_and_their_strengthened_difference(ax):
    before = torch.eye(9).reshape(9, 1, 3, 3)
    after = 5 * (before + 0.01 * before.flip(0))  # another norm is not seen
    before_after(before, after, torch.linspace(0, 0.1, 9), ax=ax, title="t")
    written = [text.get_text() for text in ax.texts]
    assert written[:2] == ["before", "after"] and written[-1] == "0.10"
    factor = int(written[2].removeprefix("difference ×"))
    assert factor > 10
    pictures = [np.asarray(image.get_array()) for image in ax.images]
    np.testing.assert_allclose(pictures[9], pictures[0], atol=0.02)
    np.testing.assert_allclose(pictures[18].max(), min(1, 0.01 * factor), rtol=0.05)


def test_all_banks_of_a_figure_have_one_scale_and_one_factor():
    """A bank that changed little is not made to look like one that changed much."""
    still, start = torch.eye(9).reshape(9, 1, 3, 3), rand(9, 1, 3, 3)
    pairs = [(still, still + 0.01 * still.flip(0)), (start, start + 0.3 * rand(9, 1, 3, 3).flip(0))]
    scale, factor = shared_scale(pairs)
    assert factor < 10 < 50 < shared_scale(pairs[:1])[1]
    for ax, pair in zip(plt.subplots(2)[1], pairs, strict=True):
        before_after(*pair, torch.zeros(9), ax=ax, n_cols=9, like=(scale, factor), title="t")
        written = [text.get_text() for text in ax.texts]
        assert written[2] == (f"difference ×{factor}" if factor > 1 else "difference")
        assert ax.get_title(loc="left") == "t", "a phone shows the left end"
    first = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(first, start[0, 0] / start[0].norm() / scale, atol=1e-6)


def test_several_numbers_stand_beneath_a_filter_by_their_names():
    figure, ax = plt.subplots(figsize=(7.2, 2.5))
    distances = torch.tensor([0.0001, 0.0123, 0.1234, 1.9876] * 2 + [0.5])
    numbers = {"cosine distance": distances, "response distance": distances.flip(0)}
    before_after(rand(9, 3, 3, 3), rand(9, 3, 3, 3), numbers, ax=ax, n_cols=9)
    figure.canvas.draw()
    written = [text for text in ax.texts if "." in text.get_text()]
    assert len(written) == 18 and set(numbers) < {text.get_text() for text in ax.texts}
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_many_filters_before_and_after_are_broken_into_blocks_and_numbers_do_not_touch():
    """At the width of a page, three banks beneath each other, as in chapter 10."""
    figure, axes = plt.subplots(3, 1, figsize=(7.2, 10.8))
    distances = torch.tensor([0.00012, 0.0123, 0.1234, 1.9876]).repeat(7)[:27]
    for ax in axes:
        before_after(rand(27, 3, 3, 3), rand(27, 3, 3, 3), distances, ax=ax, title="t")
    figure.canvas.draw()
    for ax in axes:
        written = [text.get_text() for text in ax.texts]
        assert [written.count(text) for text in ("before", "after")] == [2, 2]
        places = {tuple(image.get_extent()) for image in ax.images}
        assert len(places) == len(ax.images) == 3 * 27, "no filter lies on another"
        low, high = ax.get_ylim()
        assert all(low < y < high for _, _, y, _ in places) and ax.get_xlim() == (0, 14)
        numbers = [text for text in ax.texts if "." in text.get_text()]
        read = [float(text.get_text()) for text in numbers]
        np.testing.assert_allclose(read, distances, atol=0.005)
        assert min(text.get_fontsize() for text in numbers) >= 6.5
        boxes = [text.get_window_extent() for text in numbers]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_spectrum_shows_shares_in_percent_on_a_log_axis(ax):
    spectrum(torch.tensor([6.0, 3.0, 1.0, 0.0]), ax=ax, method="pca_whitening", label="a")
    (line,) = ax.lines
    np.testing.assert_allclose(line.get_ydata(), [60, 30, 10, 1e-4], rtol=1e-5)
    assert line.get_xdata().tolist() == [1, 2, 3, 4] and ax.get_yscale() == "log"
    assert line.get_color() == METHOD_COLORS["pca_whitening"] and line.get_label() == "a"
    spectrum(torch.tensor([6.0, 3.0]), ax=ax, color="black", linestyle="--")
    assert (ax.lines[1].get_color(), ax.lines[1].get_linestyle()) == ("black", "--")


def test_image_has_pixels_of_its_own(ax):
    show_image(torch.arange(6).reshape(1, 2, 3) / 5, ax=ax, title="t")
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array(), np.arange(6).reshape(2, 3) / 5)
    assert image.get_cmap().name == "gray" and image.get_clim() == (0, 1)
    assert image.get_extent() == [-0.5, 2.5, 1.5, -0.5]


def test_style_is_the_methods_colours():
    use_style()
    cycle = [to_rgb(entry["color"]) for entry in mpl.rcParams["axes.prop_cycle"]]
    assert cycle[: len(METHODS)] == [to_rgb(color) for color in METHOD_COLORS.values()]
    CALLS["spectrum"](plt.subplots()[1], 3).figure.canvas.draw()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_typical_image_has_the_median_edge(channels):
    heights = torch.tensor([50, 10, 255, 40, 30])  # of an edge in a dark image
    images = torch.zeros(5, channels, 6, 7, dtype=torch.uint8)
    images[..., 4:] = heights[:, None, None, None].to(torch.uint8)
    assert typical_image(images) == 3


def test_a_figure_placed_by_hand_stays_as_it_is_however_often_it_is_shown():
    """matplotlib would lay it out anew, with a warning, once it has been saved."""
    use_style()
    figure = plt.figure()
    figure.set_layout_engine("none")
    place = figure.add_axes((0.5, 0.25, 0.25, 0.5)).get_position().bounds
    first, second = _svg_and_png(figure), _svg_and_png(figure)
    assert first == second and figure.axes[0].get_position().bounds == place
    plt.close(figure)


@pytest.mark.parametrize("dpi", [216, 432])
def test_a_figure_of_very_many_marks_comes_as_pixels_alone(dpi):
    use_style()
    figure, ax = plt.subplots(figsize=(2, 2), dpi=dpi)
    light = _svg_and_png(figure)
    ax.plot(*np.random.default_rng(0).normal(size=(2, 3000)), "o")
    heavy = _svg_and_png(figure)
    plt.close(figure)
    assert set(light) == {"image/svg+xml", "image/png"} and set(heavy) == {"image/png"}
    found = [Image.open(io.BytesIO(base64.b64decode(of["image/png"]))) for of in (light, heavy)]
    assert [round(one.info["dpi"][0]) for one in found] == [dpi // 2, dpi]
    assert found[1].width == pytest.approx(2 * found[0].width, rel=0.02)
