"""Chromium without a window, driven over two pipes: no driver, no port, no other package.

The commands are those of the DevTools protocol, https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tools.environment import adopt

# The screens on which pages are looked at: a wide one and a phone's, in pixels.
WIDTHS = (1300, 390)
HEIGHT = 900

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",  # it cannot be had by root, nor in a container; the pages are our own
    "--disable-dev-shm-usage",  # a container's is too small for the long pages
    "--host-resolver-rules=MAP * ~NOTFOUND",  # what a page asks of another host fails at once
    "--disable-background-networking", "--disable-component-update", "--disable-gpu",
    "--disable-quic", "--disable-sync", "--force-device-scale-factor=1", "--hide-scrollbars",
    "--no-first-run",
)  # fmt: skip
LOADED = """new Promise(done => {
  const set = () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(() => done());
  document.readyState === "complete" ? set() : addEventListener("load", set);
})"""
# Chromium reads commands from descriptor 3 and writes answers to 4; ours may be any, these two too.
HANDS = """import fcntl, os, sys
ours = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3]]
for own, theirs in zip(ours, (3, 4)):
    os.dup2(own, theirs)
    os.close(own)
os.execv(sys.argv[3], sys.argv[3:])"""
PATIENCE = 60  # seconds for one command


def executable() -> str | None:
    """The browser's path, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def ready(what: str) -> bool:
    """Adopt the build's environment if a browser is there; else say `what` is not done, and why."""
    if executable():
        adopt()  # a browser wants a home and short paths of sockets, as a kernel does
        return True
    reason = f"{what}: no browser is there (none of {', '.join(NAMES)})"
    if os.environ.get("PATCHINIT_REQUIRE_BROWSER"):
        sys.exit(f"{reason}, and PATCHINIT_REQUIRE_BROWSER is set")
    print(reason)
    return False


class BrowserError(Exception):
    """The browser did not do as asked, or ended."""


class Page:
    """One tab. `send` gives a command's answer; `run` what a script returns."""

    def __init__(self, browser: Browser):
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self.send = partial(browser.send, session=attached["sessionId"])

    def open(self, address: str) -> None:
        """Load a page and wait until its pictures and styles are there and its formulas are set."""
        answer = self.send("Page.navigate", url=address)
        if "errorText" in answer:
            raise BrowserError(f"{address}: {answer['errorText']}")
        self.run(LOADED)

    def load_pictures(self) -> None:
        """All of them: those far below the screen would be loaded when they come near it."""
        self.run(
            "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode()"
            ".catch(() => 0)))).then(() => 0)"
        )

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        how: dict[str, Any] = {"awaitPromise": True, "returnByValue": True}
        answer = self.send("Runtime.evaluate", expression=script, **how)
        if trouble := answer.get("exceptionDetails"):
            raise BrowserError(trouble.get("exception", trouble).get("description", str(trouble)))
        return answer["result"].get("value")

    def show(self, width: int, height: int, scheme: str) -> None:
        """Give the page the size in CSS pixels of a screen, and a `light` or `dark` scheme."""
        size: dict[str, Any] = {"width": width, "height": height}
        self.send("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, mobile=False, **size)
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.send("Emulation.setEmulatedMedia", features=features)
        # Two frames later scripts have heard of it, and what they changed is drawn.
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


class Browser:
    """A running Chromium with a profile of its own, for a `with` block.

    `on_event` gets what the browser sends unasked, between its answers.
    """

    def __init__(self, on_event: Callable[[dict], None] = lambda event: None) -> None:
        self._on_event, self._count, self._rest = on_event, 0, b""

    def __enter__(self) -> Browser:
        found = executable()
        if found is None:
            raise BrowserError(f"no browser is there: none of {', '.join(NAMES)} is on the path")
        self._profile = tempfile.mkdtemp(prefix="browser-")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [sys.executable, "-I", "-S", "-c", HANDS, str(theirs_in), str(theirs_out), found]
        self._process = subprocess.Popen(
            [*command, *FLAGS, f"--user-data-dir={self._profile}", "--remote-debugging-pipe"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrowserError, OSError):
            self.send("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self._profile, ignore_errors=True)

    def page(self) -> Page:
        return Page(self)

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self._count += 1
        to = {"sessionId": session} if session else {}
        message = {"id": self._count, "method": method, "params": parameters} | to
        content = json.dumps(message).encode() + b"\0"
        with contextlib.suppress(BrokenPipeError):  # noticed below, as the end of the answers
            while content:
                content = content[os.write(self._out, content) :]
        end = time.monotonic() + PATIENCE
        while (answer := self._receive(end, method)).get("id") != self._count:
            self._on_event(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _receive(self, end: float, what: str) -> dict:
        while b"\0" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._in], [], [], left)[0]:
                raise BrowserError(f"{what}: no answer within {PATIENCE} s")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise BrowserError(f"{what}: the browser has ended")
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)
