"""Fetch a file with a progress bar, limits on silence and crawling, and nothing half-written."""

from __future__ import annotations

import collections
import http.client
import threading
import time
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
    """Download url to path.

    Parameters
    ----------
    url : str
    path : Path
    silence : float
        Seconds without a byte after which the connection is given up.
    least_rate : float
        Bytes a second below which it is given up, over any `window` seconds.

    Raises
    ------
    OSError
        The host can't be reached, answers with an error, stays silent for `silence` seconds or is
        slower than `least_rate` (TimeoutError); path is then removed.
    ValueError
        Not an address that can be opened.
    """
    state = {"received": 0, "total": None, "error": None}

    def transfer() -> None:
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "patchinit"})
            with urllib.request.urlopen(request, timeout=silence) as response:
                if state["error"] is not None:  # given up while the host was looked for
                    return
                with path.open("wb") as file:
                    state["total"] = getattr(response, "length", None)  # a file: address has none
                    while chunk := response.read1(1 << 16):
                        file.write(chunk)
                        state["received"] += len(chunk)
            if getattr(
                response, "length", None
            ):  # what the header promised and the connection did not deliver
                raise ConnectionError(f"the connection closed {response.length} bytes early")
        except http.client.HTTPException as error:
            state["error"] = ConnectionError(f"{type(error).__name__}: {error}")
        except (OSError, ValueError) as error:
            state["error"] = error
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it holds the connection

    # In a thread of its own: a look-up of the host's name, or one address after another, can hang
    # for far longer than any timeout that urlopen takes.
    worker = threading.Thread(target=transfer, daemon=True)
    worker.start()
    heard, seen = time.monotonic(), 0
    course = collections.deque([(heard, 0)])  # times, and what had come by then
    with tqdm(desc=path.name, unit="B", unit_scale=True) as bar:
        alive = True
        while alive:
            worker.join(0.1)
            alive = worker.is_alive()  # asked first: what came before the end is then counted below
            if state["received"] > seen:
                bar.total = state["total"]
                bar.update(state["received"] - seen)
                heard, seen = time.monotonic(), state["received"]
            elif alive and time.monotonic() - heard > silence:
                state["error"] = TimeoutError(f"no answer for {silence:g} s")
                break
            course.append((time.monotonic(), seen))
            while len(course) > 1 and course[1][0] <= course[-1][0] - window:
                course.popleft()
            seconds, gained = (
                last - first for last, first in zip(course[-1], course[0], strict=True)
            )
            if alive and seconds >= window and gained < least_rate * seconds:
                kilobytes = gained / seconds / 1e3, least_rate / 1e3
                state["error"] = TimeoutError("{:.0f} kB/s, less than {:.0f}".format(*kilobytes))
                break
    if state["error"] is not None:
        path.unlink(missing_ok=True)
        raise state["error"]
