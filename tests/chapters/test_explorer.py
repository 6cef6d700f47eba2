"""The filter explorer: what is embedded is what was given, and the fragment keeps to itself."""

import base64
import json
import re

import numpy as np
import pytest
from bs4 import BeautifulSoup

from patchinit.chapters.explorer import ExplorerBank, explorer_html
from tools import page_gates

RNG = np.random.default_rng(0)


def bank(snapshots=4, n=5, channels=3, last=6, **changes):
    walk = RNG.standard_normal((snapshots, n, channels, 3, 3)).cumsum(0)
    null = np.linspace(0, 0.5, last + 1)
    values = {
        "dataset": "CIFAR-10",
        "method": "k-means",
        "norm": "1",
        "color": "#D55E00",
        "epochs": [*range(snapshots - 1), last],
        "filters": walk,
        "distances": 10 ** RNG.uniform(-4, 0, (last + 1, n)),
        "null": null,
        "null_band": np.column_stack([0.8 * null, 1.2 * null]),
    }
    return ExplorerBank(**values | changes)


def fragment(*banks, uid="explorer", alt="filters before and after"):
    return explorer_html(list(banks) or [bank()], still_alt=alt, uid=uid)


def embedded(html):
    return json.loads(
        BeautifulSoup(html, "html.parser").find("script", type="application/json").get_text()
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_round_trip(channels):
    given = bank(channels=channels)
    (stored,) = embedded(fragment(given))["banks"]
    steps = np.array(stored["steps"])[:, None]
    weights = (
        np.frombuffer(base64.b64decode(stored["filters"]), "int8").reshape(len(steps), -1) * steps
    )
    assert stored["shape"] == [5, channels, 3, 3] and stored["epochs"] == [0, 1, 2, 6]
    assert (np.abs(weights - given.filters.reshape(len(steps), -1)) <= 0.51 * steps).all()
    np.testing.assert_allclose(127 * steps[0], np.abs(given.filters[0]).max(), rtol=1e-5)
    curves = np.frombuffer(base64.b64decode(stored["curves"]), "<u2").reshape(7, -1)
    curves = 2 * (curves / 65535) ** 2
    wanted = np.column_stack([given.distances, given.null, given.null_band])
    np.testing.assert_allclose(curves, wanted, rtol=0.003)
    assert (curves[0, 5:] == 0).all()


def test_order_and_labels_are_kept():
    banks = [
        bank(method=method, norm=norm) for method in ("b", "a") for norm in ("5", "0.45 (Glorot's)")
    ]
    stored = embedded(fragment(*banks))["banks"]
    assert [(b["method"], b["norm"]) for b in stored] == [(b.method, b.norm) for b in banks]


def test_bank_of_zeros():
    (stored,) = embedded(fragment(bank(filters=np.zeros((4, 5, 1, 3, 3)))))["banks"]
    assert not any(base64.b64decode(stored["filters"]))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"color": "red"}, "color='red' should be written as '#rrggbb'"),
        ({"filters": np.ones((4, 5, 2, 3, 3))}, r"\(4, 5, 2, 3, 3\); expected"),
        ({"filters": np.ones((4, 5, 3, 3, 5))}, r"\(4, 5, 3, 3, 5\); expected"),
        ({"filters": np.full((4, 5, 3, 3, 3), np.nan)}, "filters hold NaN"),
        ({"distances": np.ones((7, 4))}, r"distances has shape \(7, 4\); \(7, 5\)"),
        (
            {"distances": np.full((7, 5), 2.5)},
            "distances runs from 2.5 to 2.5; a cosine distance is 0 to 2",
        ),
        ({"distances": np.full((7, 5), np.nan)}, "NaN is that of a zero filter"),
        ({"null": -np.ones(7)}, "null runs from -1"),
        ({"null_band": np.ones((6, 2))}, r"null_band has shape \(6, 2\)"),
        ({"null_band": np.tile([0.2, 0.1], (7, 1))}, "swap its columns"),
        ({"epochs": [0, 1, 6]}, r"epochs has shape \(3,\)"),
        ({"epochs": [1, 2, 3, 6]}, "rising from 0 to E=6 at most"),
        ({"epochs": [0, 2, 2, 6]}, "rising from 0 to E=6 at most"),
        ({"epochs": [0, 1, 2, 7]}, "rising from 0 to E=6 at most"),
        ({"epochs": [0.0, 1.0, 2.0, 6.0]}, "whole numbers"),
    ],
)
def test_unusable_bank(changes, says):
    with pytest.raises(ValueError, match=says):
        bank(**changes)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: explorer_html([], still_alt="a"), "at least one"),
        (lambda: fragment(bank(), bank()), r"two banks are called \('CIFAR-10', 'k-means', '1'\)"),
        (lambda: fragment(uid="9 lives"), "uid='9 lives'"),
        (lambda: fragment(alt=" "), "still_alt is empty"),
    ],
)
def test_unusable_call(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_size():
    banks = [bank(14, 27, last=15, norm=str(n)) for n in range(40)]
    assert len(fragment(*banks).encode()) < 700_000


def test_page_gates(tmp_path):
    cells = "".join(
        f'<div class="cell_output text_html">{fragment(uid=uid)}</div>' for uid in ("a", "b")
    )
    (tmp_path / "index.html").write_text(
        f"<html><body><article>{cells}</article></body></html>", encoding="utf-8"
    )
    assert [problem for gate in page_gates.SITE for problem in gate(tmp_path)] == []
    assert "http" not in re.sub(r'"(filters|curves)": "[^"]*"', "", cells)


def test_two_on_a_page():
    soup = BeautifulSoup(fragment(uid="one") + fragment(uid="two"), "html.parser")
    assert [tag["id"] for tag in soup.find_all(id=True)] == ["one", "two"]
    assert [root["id"] for root in soup.select(".filter-explorer")] == ["one", "two"]


def test_hostile_labels():
    hostile = """</script></noscript><img src=x onerror="alert(1)">'"&<!--"""
    html = fragment(bank(dataset=hostile, method=hostile, norm=hostile), alt=hostile)
    soup = BeautifulSoup(html, "html.parser")
    assert not soup.find("img") and len(soup.find_all("script")) == 2
    assert embedded(html)["banks"][0]["norm"] == hostile
    assert soup.find("noscript").find("svg")["aria-label"] == hostile
    assert html.count("<script") == html.count("</script") == 2 and "<!--" not in html


@pytest.mark.parametrize("channels", [1, 3])
def test_still_picture(channels):
    filters = np.zeros((2, 4, channels, 3, 3))
    filters[0, 0, :, 0, 0], filters[1, 0, :, 0, 0] = 0.5, -0.5
    still = BeautifulSoup(fragment(bank(2, 4, filters=filters)), "html.parser").find("noscript")
    assert (
        still.find("svg")["role"] == "img"
        and still.find("svg")["aria-label"] == "filters before and after"
    )
    assert [text.get_text() for text in still.find_all("text")] == ["start", "after epoch 6"]
    fills = [path["fill"] for path in still.find_all("path")]
    zero, positive, negative = (
        ("#808080", "#ffffff", "#000000") if channels == 3 else ("#f7f7f7", "#67001f", "#053061")
    )
    assert len(fills) == 2 * 4 * 9 and (fills[0], fills[36]) == (positive, negative)
    assert set(fills[1:36] + fills[37:]) == {zero}


def test_without_scripts_nothing_but_the_still():
    root = BeautifulSoup(fragment(), "html.parser").find(id="explorer")
    shown = [tag for tag in root.find_all(recursive=False) if tag.name not in ("style", "script")]
    assert [tag.name for tag in shown] == ["noscript", "div"] and shown[1].has_attr("hidden")


def test_every_control_is_named():
    app = BeautifulSoup(fragment(), "html.parser").find(class_="app")
    for control in app.find_all(["select", "input"]):
        assert control.find_parent("label") or control["aria-label"]
