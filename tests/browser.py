"""A page in a real browser, driven as a reader would: Chromium's own protocol over a pipe."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
# The browser reads commands from 3 and writes to 4, whatever their numbers are here.
LAUNCH = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])
os.dup2(commands, 3), os.dup2(answers, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>t</title>
<style>html {{ --pst-color-background: #fff; --pst-color-text-base: #222832; color-scheme: light; }}
html[data-theme="dark"] {{ --pst-color-background: #14181e; --pst-color-text-base: #ced6dd;
  --pst-color-accent: #e89217; color-scheme: dark; }}
body {{ margin: 16px auto; max-width: 46rem; font-family: sans-serif;
  background: var(--pst-color-background); color: var(--pst-color-text-base); }}</style>
<body>{body}</body></html>"""


def find() -> str | None:
    """The browser's path, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page; a context manager. Errors of a page's scripts are kept."""

    def __init__(self, profile: Path, timeout: float = 60) -> None:
        self.timeout, self.count, self.buffer = timeout, 0, b""
        self.errors: list[str] = []
        self.requested: list[str] = []
        to_read, self.commands = os.pipe()
        self.answers, to_write = os.pipe()
        command = [find(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(to_read), str(to_write), *command],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read), os.close(to_write)
        self.session = None

    def __enter__(self) -> Browser:
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _attach(self) -> None:
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        os.close(self.commands), os.close(self.answers)

    def call(self, method: str, **parameters: object) -> dict:
        """One command, and its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.count:
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(answer["params"]))
            if answer.get("method") == "Network.requestWillBeSent":
                self.requested.append(answer["params"]["request"]["url"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> dict:
        while b"\0" not in self.buffer:
            if not select.select([self.answers], [], [], self.timeout)[0]:
                raise TimeoutError(f"the browser said nothing for {self.timeout} seconds")
            if not (more := os.read(self.answers, 2**20)):
                raise RuntimeError("the browser has ended")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

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

    def run(self, expression: str) -> object:
        """The value of an expression, as JSON holds it."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until the expression holds."""
        end = time.monotonic() + self.timeout
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


def browser_or_skip(profile: Path) -> Browser:
    if find() is None:
        pytest.skip("needs a browser: none of " + ", ".join(NAMES) + " is installed")
    return Browser(profile)
