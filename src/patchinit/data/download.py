"""Fetch a file with a progress bar, limits on silence and crawling, and nothing half-written."""

from __future__ import annotations

import collections
import http.client
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

SILENCE = 10.0  # seconds without a byte after which a connection is given up
WINDOW = 20.0  # seconds over which a rate is taken


def fetch(
    url: str,
    path: Path,
    *,
    silence: float = SILENCE,
    least_rate: float = 0.0,
    window: float = WINDOW,
) -> None:
    """Download url to path, or leave nothing there.

    OSError if the host can't be reached or answers with an error; TimeoutError if it is silent for
    `silence` seconds, or gives less than `least_rate` bytes a second over any `window` seconds;
    ValueError if url is no address that can be opened.
    """
    transfer = _Transfer(url, path, silence)
    transfer.start()
    last_heard, seen = time.monotonic(), 0
    progress = collections.deque([(last_heard, 0)])  # times, and what had come by then
    with tqdm(desc=path.name, unit="B", unit_scale=True) as bar:
        alive = True
        while alive and not transfer.given_up:
            transfer.join(0.1)
            alive = transfer.is_alive()  # asked first: what came before the end is counted below
            now = time.monotonic()
            if transfer.received > seen:
                bar.total = transfer.total
                bar.update(transfer.received - seen)
                last_heard, seen = now, transfer.received
            elif alive and now - last_heard > silence:
                transfer.give_up(f"no answer for {silence:g} s")
            progress.append((now, seen))
            while len(progress) > 1 and progress[1][0] <= now - window:
                progress.popleft()
            seconds, gained = now - progress[0][0], seen - progress[0][1]
            if alive and seconds >= window and gained < least_rate * seconds:
                rate = gained / seconds
                transfer.give_up(f"{rate / 1e3:.0f} kB/s, less than {least_rate / 1e3:.0f}")
    if transfer.error is not None:
        path.unlink(missing_ok=True)
        raise transfer.error


class _Transfer(threading.Thread):
    """Writes url to path in a thread of its own: to look a host up can hang past any timeout."""

    def __init__(self, url: str, path: Path, silence: float) -> None:
        super().__init__(daemon=True)
        self.url, self.path, self.silence = url, path, silence
        self.received = 0  # bytes
        self.total: int | None = None
        self.error: Exception | None = None
        self.given_up = False

    def give_up(self, why: str) -> None:
        self.given_up, self.error = True, TimeoutError(why)

    def run(self) -> None:
        try:
            self.write(urllib.request.Request(self.url, headers={"User-Agent": "patchinit"}))
        except http.client.HTTPException as error:
            self.error = ConnectionError(f"{type(error).__name__}: {error}")
        except (OSError, ValueError) as error:
            self.error = error
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it holds the connection

    def write(self, request: urllib.request.Request) -> None:
        with urllib.request.urlopen(request, timeout=self.silence) as response:
            if self.given_up:  # while the host was looked for
                return
            with self.path.open("wb") as file:
                self.total = getattr(response, "length", None)  # a file: address has none
                while chunk := response.read1(1 << 16):
                    file.write(chunk)
                    self.received += len(chunk)
        # What the header promised and the connection did not deliver.
        if missing := getattr(response, "length", None):
            raise ConnectionError(f"the connection closed {missing} bytes early")
