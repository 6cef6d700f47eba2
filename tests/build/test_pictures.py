"""Pictures of executed chapters: charts in fewer colours, photographs as they were."""

import base64
import io

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from tools.pictures import UNSEEN, lighten, lighter


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=int)


def chart():
    plt.switch_backend("Agg")
    figure, ax = plt.subplots(dpi=144)
    ax.plot(np.random.default_rng(0).normal(size=(40, 8)).cumsum(0))
    file = io.BytesIO()
    figure.savefig(file)
    plt.close(figure)
    return file.getvalue()


def test_a_chart_gets_lighter_and_looks_the_same():
    before = chart()
    after = lighter(before)
    assert len(after) < 0.6 * len(before)
    assert np.abs(pixels(after) - pixels(before)).mean() < UNSEEN
    assert lighter(after) == after or len(lighter(after)) < len(after)
    assert Image.open(io.BytesIO(after)).info["dpi"] == pytest.approx((144, 144), abs=0.1)


def test_a_photograph_keeps_every_pixel():
    noise = png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert (pixels(lighter(noise)) == pixels(noise)).all()


def test_all_pictures_of_a_notebook(tmp_path):
    output = nbformat.v4.new_output(
        "display_data", {"image/png": base64.b64encode(chart()).decode(), "text/plain": "a chart"}
    )
    words = nbformat.v4.new_output("stream", text="words")
    cells = [
        nbformat.v4.new_code_cell("", outputs=[output, words]),
        nbformat.v4.new_markdown_cell(),
    ]
    lightened = lighten(nbformat.v4.new_notebook(cells=cells))
    nbformat.validate(lightened)
    (picture, kept) = lightened.cells[0].outputs
    assert base64.b64decode(picture.data["image/png"]) == lighter(chart())
    assert kept.text == "words" and picture.data["text/plain"] == "a chart"


def test_a_picture_that_no_page_shows_is_left_as_it_is():
    data = {"image/png": base64.b64encode(chart()).decode(), "image/svg+xml": "<svg/>"}
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", data)])
    (output,) = lighten(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert output.data == data
