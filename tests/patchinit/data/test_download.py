"""Downloads from a server on this machine: what arrives whole, breaks off, or is left behind."""

import functools
import hashlib
import http.server
import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time

import pytest
import torch
from torchvision import datasets

from patchinit.data import (
    DatasetDamaged,
    DatasetUnavailable,
    StandInWarning,
    default_root,
    load_images,
)
from patchinit.data import published as data
from patchinit.data.download import fetch
from tests.published import publish_cifar, publish_fashion

CONTENT = bytes(range(256)) * 2000  # some 500 kB: more than one read
# torchvision unpacks archives whose digest was checked; Python 3.12 and later want a filter named.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Python 3.14 will, by default, filter:DeprecationWarning"
)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; the first part of a path chooses a way to fail."""

    def do_GET(self):
        self.server.asked.append(self.path)
        way, _, name = self.path.lstrip("/").partition("/")
        content = self.server.files.get(name)
        if content is None:
            return self.send_error(404)
        if way == "garbage":
            return self.wfile.write(b"this is no HTTP\r\n\r\n")
        if way == "silent":
            return self.server.over.wait(20)
        self.send_response(200)
        if way == "chunked":  # of no stated length; the second part is missing
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            return self.wfile.write(b"4\r\nhalf\r\n10\r\nof")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if way == "whole":
            return self.wfile.write(content)
        if way == "crawling":  # never silent, never done
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x" * 50)
            return None
        if way == "slow":  # each pause shorter than the limit, all together longer
            for start in range(0, len(content), len(content) // 5):
                self.wfile.write(content[start : start + len(content) // 5])
                time.sleep(0.2)
            return None
        self.wfile.write(content[: len(content) // 2])
        if way == "stalled":
            self.wfile.flush()
            self.server.over.wait(20)
        return None  # "broken": closed half-way

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """`files` by name, `asked` for what was requested, `url` of this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        running.files, running.asked, running.over = {"file": CONTENT}, [], threading.Event()
        running.url = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(
            target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        yield running
        running.over.set()
        running.shutdown()


# --- One file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["whole", "slow"])
def test_a_file_arrives_whole(server, tmp_path, way):
    fetch(f"{server.url}/{way}/file", tmp_path / "got", silence=0.8)
    assert (tmp_path / "got").read_bytes() == CONTENT


def test_progress_is_shown(server, tmp_path, capsys):
    fetch(f"{server.url}/whole/file", tmp_path / "got")
    assert "got: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    "way, words",
    [
        ("silent", "timed out|no answer for 0.5 s"),
        ("stalled", "timed out|no answer for 0.5 s"),
        ("broken", "closed 256000 bytes early"),
        ("chunked", "IncompleteRead"),
        ("garbage", "this is no HTTP"),
        ("whole/no", "404"),
    ],
)
def test_a_failed_download_is_an_error_and_leaves_nothing(server, tmp_path, way, words):
    started = time.monotonic()
    with pytest.raises(OSError, match=words):
        fetch(f"{server.url}/{way}/file", tmp_path / "got", silence=0.5)
    assert time.monotonic() - started < 3
    assert list(tmp_path.iterdir()) == []


def test_nobody_listens(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        fetch(f"http://127.0.0.1:{port}/file", tmp_path / "got")
    assert list(tmp_path.iterdir()) == []


def test_a_hanging_look_up_of_the_host_is_given_up_for_good(server, tmp_path, monkeypatch):
    """No timeout of urlopen covers it; and what it finds in the end is not written any more."""
    look_up = socket.getaddrinfo

    def slow(*arguments, **options):
        time.sleep(1)
        return look_up(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    before = set(threading.enumerate())
    with pytest.raises(TimeoutError, match=r"no answer for 0\.3 s"):
        fetch(f"{server.url}/whole/file", tmp_path / "got", silence=0.3)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert server.asked == ["/whole/file"], "the look-up did end"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["no-address", "gopher://127.0.0.1/file"])
def test_an_impossible_address_is_an_error(tmp_path, url):
    with pytest.raises((OSError, ValueError), match="unknown url type"):
        fetch(url, tmp_path / "got")
    assert list(tmp_path.iterdir()) == []


# --- Data sets ------------------------------------------------------------------------------------


def cifar_archive(monkeypatch):
    """A tiny CIFAR-10's tar.gz, after making its digests the published ones."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in publish_cifar(monkeypatch).items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    content = packed.getvalue()
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(content).hexdigest())
    return {"cifar-10-python.tar.gz": content}


@pytest.fixture(params=["cifar10", "fashion_mnist"])
def published(request, server, monkeypatch):
    """A data set's name, and a function that publishes it on the server to be had in one `way`."""

    def publish(way):
        pack = cifar_archive if request.param == "cifar10" else publish_fashion
        server.files = pack(monkeypatch)
        monkeypatch.setattr(datasets.CIFAR10, "url", f"{server.url}/{way}/cifar-10-python.tar.gz")
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [f"{server.url}/{way}/"])
        monkeypatch.setattr(data, "MIRRORS", {"cifar10": (), "fashion_mnist": ()})
        monkeypatch.setattr(data, "fetch", functools.partial(fetch, silence=0.5, window=0.6))

    return request.param, publish


def test_a_data_set_is_fetched_once_and_loaded(published, server, tmp_path):
    name, publish = published
    publish("whole")
    root = tmp_path / "not" / "there" / "yet"
    train, test = (load_images(name, part, root=root, download=True) for part in ("train", "test"))
    assert len(server.asked) == len(server.files)
    if name == "cifar10":
        assert (len(train), len(test), train.classes) == (20, 4, ("w", "x", "y", "z"))
    else:
        assert (len(train), len(test)) == (6, 3) and test.labels.tolist() == [0, 1, 2]
    assert not list(root.glob(".download-*"))
    assert torch.equal(load_images(name, root=root, download=False).images, train.images)


def test_the_environment_says_whether_to_fetch(published, tmp_path, monkeypatch):
    name, publish = published
    publish("whole")
    with pytest.raises(DatasetUnavailable, match="downloading is off"):
        load_images(name, root=tmp_path)
    monkeypatch.delenv("PATCHINIT_OFFLINE")
    assert load_images(name, root=tmp_path).name == name


def test_an_incomplete_data_set_is_fetched_anew(published, tmp_path):
    name, publish = published
    publish("whole")
    before = load_images(name, root=tmp_path, download=True).images
    gone = next(path for path in tmp_path.rglob("*") if path.is_file() and not path.suffix)
    gone.unlink()
    assert torch.equal(load_images(name, root=tmp_path, download=True).images, before)


@pytest.mark.parametrize(
    "way, words",
    [
        ("silent", "timed out|no answer for 0.5 s"),
        ("broken", "bytes early"),
        ("garbage", "this is no HTTP"),
        ("whole/no", "404"),
        ("crawling", "[01] kB/s, less than 150"),
    ],
)
def test_a_data_set_that_does_not_come_is_unavailable(published, tmp_path, way, words):
    name, publish = published
    publish(way)
    words = rf"{name} is not in .* could not be fetched \(http.*({words})"
    with pytest.raises(DatasetUnavailable, match=words):
        load_images(name, root=tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []


def test_a_default_that_does_not_come_is_replaced(published, tmp_path):
    name, publish = published
    publish("broken")
    with pytest.warns(StandInWarning, match="bytes early"):
        found = load_images(default=name, root=tmp_path, download=True)
    assert found.stand_in_for == name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [True, False])
def test_a_damaged_archive_is_refused_and_not_kept(published, server, tmp_path, named):
    name, publish = published
    publish("whole")
    last = list(server.files)[-1]
    server.files[last] = server.files[last][:-1] + b"?"
    words = rf"{last} gave a file that is not the published one .*md5.*try again"
    with pytest.raises(DatasetDamaged, match=words):
        load_images(name if named else None, default=name, root=tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def mirrored(published, server, monkeypatch):
    """A data set whose first address fails in some way; the second is a mirror that has it."""
    name, publish = published

    def fail(way):
        publish(way)
        bad = datasets.CIFAR10.url.rpartition("/")[0] if name == "cifar10" else None
        good = f"{server.url}/whole"
        # CIFAR-10's mirrors come before the official host, Fashion-MNIST's after torchvision's.
        monkeypatch.setattr(data, "MIRRORS", {name: (bad, good) if bad else (good,)})
        return name

    return fail


@pytest.mark.parametrize("way", ["silent", "stalled", "broken", "garbage", "no", "crawling"])
def test_the_next_mirror_is_tried(mirrored, tmp_path, way):
    name = mirrored(way)
    assert load_images(name, root=tmp_path, download=True).name == name
    assert not list(tmp_path.glob(".download-*"))


def test_a_mirror_that_lies_is_passed_over(mirrored, server, tmp_path, monkeypatch):
    name = mirrored("whole/lies")
    server.files |= {f"lies/{file}": content[::-1] for file, content in server.files.items()}
    assert load_images(name, root=tmp_path, download=True).name == name
    assert any("lies" in asked for asked in server.asked)


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_mirror_of_ones_own_comes_first(published, server, tmp_path, monkeypatch, as_folder):
    """It is waited for however slow it is, and may be a folder."""
    name, publish = published
    publish("broken")
    monkeypatch.setattr(data, "LEAST_RATE", 1e12)
    # A slow server on a busy machine may be silent for a while.
    monkeypatch.setattr(data, "fetch", functools.partial(fetch, silence=20, window=0.6))
    own = f"{server.url}/slow/"
    if as_folder:
        own = str(tmp_path / "own")
        (tmp_path / "own").mkdir()
        for file, content in server.files.items():
            (tmp_path / "own" / file).write_bytes(content)
    monkeypatch.setenv("PATCHINIT_MIRROR", own)
    assert load_images(name, root=tmp_path / "data", download=True).name == name
    assert not any("broken" in asked for asked in server.asked)


@pytest.mark.parametrize("below", ["", "FashionMNIST/raw", "FashionMNIST"])
def test_archives_at_hand_are_used_without_the_network(published, server, tmp_path, below):
    name, publish = published
    publish("broken")
    below = "" if name == "cifar10" else below
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    for file, content in server.files.items():
        (tmp_path / below / file).write_bytes(content)
    assert load_images(name, root=tmp_path, download=False).name == name
    assert not server.asked
    assert all((tmp_path / below / file).exists() for file in server.files)


def test_a_damaged_archive_at_hand_is_not_used(published, server, tmp_path):
    name, publish = published
    publish("whole")
    for file, content in server.files.items():
        (tmp_path / file).write_bytes(content[:-1] + b"?")
    assert load_images(name, root=tmp_path, download=True).name == name
    assert server.asked


def test_leftovers_of_a_killed_download_are_removed(published, tmp_path):
    name, publish = published
    publish("whole")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = (
        f"{data._unpacking_prefix()}{dead.pid}",
        f"{data._unpacking_prefix()}{os.getppid()}",
        ".download-elsewhere-1",
    )
    left, alive, foreign = (tmp_path / f"{name}-abc" for name in names)
    for folder in (left, alive, foreign):
        folder.mkdir()
    load_images(name, root=tmp_path, download=True)
    assert not left.exists() and alive.exists() and foreign.exists()


def test_a_home_folder_written_short_is_the_same_everywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATCHINIT_DATA", "~/images")
    assert default_root() == tmp_path / "images"
    with pytest.raises(DatasetUnavailable, match=str(tmp_path / "elsewhere")):
        load_images("cifar10", root="~/elsewhere")
