"""Fetch a file with a progress bar, a limit on silence, and nothing left half-written."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.request
from pathlib import Path

from tqdm import tqdm

SILENCE = 10.0  # seconds without a byte after which a connection is given up


def fetch(url: str, path: Path, *, silence: float = SILENCE) -> None:
    """Download url to path.

    Raises
    ------
    OSError
        The host can't be reached, answers with an error, or stays silent for `silence` seconds
        (TimeoutError); path is then removed.
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
                    state["total"] = response.length
                    while chunk := response.read1(1 << 16):
                        file.write(chunk)
                        state["received"] += len(chunk)
            if response.length:  # what the header promised and the connection did not deliver
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
    if state["error"] is not None:
        path.unlink(missing_ok=True)
        raise state["error"]
