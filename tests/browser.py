"""A page in a real browser, driven as a reader would, by what drives the gate's."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path

import pytest

from tools import browser

PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>t</title>
<style>html {{ --pst-color-background: #fff; --pst-color-text-base: #222832; color-scheme: light; }}
html[data-theme="dark"] {{ --pst-color-background: #14181e; --pst-color-text-base: #ced6dd;
  --pst-color-accent: #e89217; color-scheme: dark; }}
body {{ margin: 16px auto; max-width: 46rem; font-family: sans-serif;
  background: var(--pst-color-background); color: var(--pst-color-text-base); }}</style>
<body>{body}</body></html>"""


class Browser(browser.Browser):
    """One browser with one page, for a `with` block. Errors of a page's scripts are kept."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.errors: list[str] = []
        self.requested: list[str] = []

    def _note(self, event: dict) -> None:
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(event["params"]))
        if event.get("method") == "Network.requestWillBeSent":
            self.requested.append(event["params"]["request"]["url"])

    def __enter__(self) -> Browser:
        super().__enter__()
        try:
            tab = self.page()
            self.call, self.run = tab.send, tab.run
            for domain in ("Page", "Runtime", "Network", "DOM"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def show(self, path: Path, body: str, *, width: int = 900, dark: bool = False) -> None:
        """A bare page with the book's colours, in a window so wide."""
        path.write_text(PAGE.format(body=body), encoding="utf-8")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.call("Page.navigate", url=path.as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")
        if dark:
            self.run("document.documentElement.dataset.theme = 'dark'")

    def until(self, expression: str) -> None:
        """Wait until the expression holds."""
        end = time.monotonic() + browser.PATIENCE
        while not self.run(expression):
            if time.monotonic() > end:
                raise TimeoutError(f"never came true: {expression}")
            time.sleep(0.05)

    def text(self, selector: str) -> str:
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def place(self, selector: str, x: float, y: float) -> tuple[float, float]:
        """A point of an element, by shares of its width and height, in the window."""
        found = json.dumps(selector)
        self.run(f"document.querySelector({found}).scrollIntoView({{block: 'center'}})")
        box = self.run(f"document.querySelector({found}).getBoundingClientRect().toJSON()")
        return box["left"] + x * box["width"], box["top"] + y * box["height"]

    def click(self, selector: str) -> None:
        self.mouse(self.place(selector, 0.5, 0.5))

    def mouse(self, *points: tuple[float, float]) -> None:
        """Press at the first point, pass all others, let go at the last."""
        one = {"button": "left", "clickCount": 1}
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=1, **one)

    def touch(self, *points: tuple[float, float]) -> None:
        """One finger that passes all points."""
        for kind, (x, y) in zip(
            ["touchStart", *["touchMove"] * (len(points) - 1)], points, strict=True
        ):
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, selector: str, *names: str) -> None:
        """Keys, on an element that is given the focus."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "End": 35}
        for name in names:
            key = {
                "key": name,
                "code": name,
                "windowsVirtualKeyCode": codes.get(name, ord(name[0])),
            }
            self.call("Input.dispatchKeyEvent", type="rawKeyDown", **key)
            self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def files(self, selector: str, *paths: Path) -> None:
        """What a reader's choice of files does."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


def browser_or_skip() -> Browser:
    if browser.executable() is None:
        pytest.skip(f"needs a browser: none of {', '.join(browser.NAMES)} is installed")
    return Browser()


def number(text: str, after: str) -> float:
    """The number behind some words."""
    return float(re.search(rf"{after} \(?([+\u2212]?[\d.]*\d)", text)[1].replace("\u2212", "-"))
