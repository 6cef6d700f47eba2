"""Chapters in Colab: what is installed leaves its kernel alone, and results/ come along.

Also without MyST-NB, which is needed to build the book and not to run a chapter.
"""

import http.server
import importlib
import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
import pytest
from packaging.utils import canonicalize_name

from companion.evidence.results import find_results

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CONSTRAINTS = ROOT / "tests/build/fixtures/colab.txt"


@pytest.fixture(scope="module")
def resolved():
    """Every package that a resolver finds for the chapters, with Colab's versions held fast."""
    command = [
        sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--extra", "companion",
        "--constraints", str(CONSTRAINTS), "--python-version", "3.13", "--no-build", "--no-header",
        "--python-platform", "x86_64-manylinux_2_28", "--no-annotate",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index gave no answer for 240 s")
    unreached = r"failed to fetch|error sending request|dns error"
    if done.returncode and re.search(unreached, done.stderr, re.I):
        pytest.skip(f"the package index can't be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^([\w.-]+)==(\S+)", done.stdout, re.M))


def test_chapters_install_beside_what_colab_has(resolved):
    held = dict(re.findall(r"^([\w-]+)==(\S+)", CONSTRAINTS.read_text(), re.M))
    for name in resolved.keys() & held.keys():
        assert resolved[name] == held[name]
    assert held.keys() - resolved.keys() == {"ipykernel", "jupyter-client"}, "not asked for at all"


@pytest.mark.parametrize("name", ["ipykernel", "jupyter-client", "myst-nb", "jupyter-book"])
def test_nothing_of_a_kernel_is_installed(resolved, name):
    assert canonicalize_name(name) not in resolved


def chapter_without_myst_nb():
    for name in [name for name in sys.modules if name.split(".")[0] in ("companion", "myst_nb")]:
        del sys.modules[name]
    sys.modules["myst_nb"] = sys.modules["ipykernel"] = None
    for name in ("charts", "explorer", "pictures", "style"):
        importlib.import_module(f"companion.pages.{name}")
    importlib.import_module("companion.pages.glue").glue_values(n=3)


def test_chapters_do_without_myst_nb(ready):
    with ProcessPoolExecutor(1, ready) as process:
        process.submit(chapter_without_myst_nb).result()


# --- The install cell -----------------------------------------------------------------------------


def install_cells(chapter):
    return [
        cell.source
        for cell in nbformat.read(chapter, as_version=4).cells
        if cell.source.startswith("# Where the module is absent")
    ]


def test_install_cell_is_the_same_in_every_chapter():
    found = [install_cells(chapter) for chapter in CHAPTERS]
    assert len(found) >= 7 and all(cells == found[0] for cells in found) and len(found[0]) == 1


class Sessions(http.server.BaseHTTPRequestHandler):
    """The part of a notebook server that says which notebook is open."""

    def do_GET(self):
        body = json.dumps([{"path": self.server.opened, "type": "notebook"}]).encode()
        self.send_response(200 if self.path == "/api/sessions" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def colab():
    """A notebook server; what it says of itself in the environment, for a notebook opened there."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sessions) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

        def opened(path):
            server.opened = path
            return {"COLAB_JUPYTER_IP": "127.0.0.1", "KMP_TARGET_PORT": str(server.server_port)}

        yield opened
        server.shutdown()


@pytest.fixture
def repository(tmp_path):
    """(address, commit) of a repository with results: branches main and topic/new, a tag v0.1."""
    folder = tmp_path / "hub" / "own-er" / "na.me"
    folder.mkdir(parents=True)
    git = [
        "git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org",
        "-c", "commit.gpgsign=false",
    ]  # fmt: skip

    def run(*arguments):
        done = subprocess.run([*git, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    (folder / "results/paper-small").mkdir(parents=True)
    (folder / "results/paper-small/manifest.json").write_text("{}")
    for name in ("main", "v0.1", "topic"):
        (folder / "version").write_text(name)
        run("add", ".")
        run("commit", "-q", "-m", name)
        if name == "v0.1":
            run("tag", name)
        if name == "main":
            first = run("rev-parse", "HEAD")
            run("checkout", "-q", "-b", "topic/new")
    return folder.as_uri(), first


@pytest.fixture
def install(tmp_path, repository):
    """Runs the install cell with a stub for pip; returns pip's arguments, and the folder then."""
    stub = tmp_path / "stub" / "pip"
    stub.mkdir(parents=True)
    record = tmp_path / "arguments.json"
    (stub / "__init__.py").touch()
    (stub / "__main__.py").write_text(
        "import json, os, sys\n"
        "with open(os.environ['RECORD'], 'w') as file:\n    json.dump(sys.argv[1:], file)\n"
        "sys.exit(int(os.environ.get('PIP_FAILS', 0)))\n"
    )
    start = tmp_path / "content"
    start.mkdir()
    hub = (tmp_path / "hub").as_uri()

    def run(*, module_present=False, fails=False, **environment):
        known = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
        places = [str(stub.parent), *([str(ROOT / "src")] if module_present else [])]
        environment = known | environment
        environment |= {"PYTHONPATH": os.pathsep.join(places), "RECORD": str(record)}
        environment |= {"no_proxy": "127.0.0.1"} | ({"PIP_FAILS": "1"} if fails else {})
        # github.com is a folder here: git needs no network.
        environment |= {
            "HOME": str(tmp_path), "GIT_CONFIG_COUNT": "1", "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_KEY_0": f"url.{hub}/.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/",
        }  # fmt: skip
        # -S: without the packages of this environment, the module among them.
        code = f"{install_cells(CHAPTERS[0])[0]}\nprint(os.getcwd())"
        done = subprocess.run(
            [sys.executable, "-S", "-c", code],
            cwd=start, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stderr
        if fails:
            return done.stderr
        arguments = json.loads(record.read_text()) if record.exists() else None
        return arguments, Path(done.stdout.strip())

    run.start = start
    return run


FROM_CLONE = ["install", "-q", "./filters-from-patches[companion]"]


@pytest.mark.parametrize(
    ("opened", "version"),
    [
        ("github.com/own-er/na.me/blob/main/notebooks/01-a.ipynb", "main"),
        ("/content/github.com/own-er/na.me/blob/v0.1/notebooks/x.ipynb", "v0.1"),
        ("https://github.com/own-er/na.me/blob/topic/new/notebooks/x.ipynb", "topic"),
        (
            "fileId=https%3A%2F%2Fgithub.com%2Fown-er%2Fna.me%2Fblob%2Fmain%2Fnotebooks%2F1.ipynb",
            "main",
        ),
    ],
)
def test_install_from_where_the_notebook_was_opened(colab, install, opened, version, monkeypatch):
    arguments, folder = install(**colab(opened))
    assert arguments == FROM_CLONE and folder == install.start / "filters-from-patches"
    assert (folder / "version").read_text() == version
    monkeypatch.chdir(folder)
    assert find_results() == folder / "results", "chapters 9 to 11 read them"


@pytest.mark.parametrize("prefix", ["", "git+"])
@pytest.mark.parametrize("version", ["topic", "a commit"])
def test_install_takes_a_named_source(install, repository, prefix, version):
    address, commit = repository
    which = "topic/new" if version == "topic" else commit
    arguments, folder = install(PATCHINIT_SOURCE=f"{prefix}{address}@{which}")
    expected = "topic" if version == "topic" else "main"
    assert arguments == FROM_CLONE and (folder / "version").read_text() == expected


def test_nothing_is_installed_where_the_module_is(install, repository):
    arguments, folder = install(module_present=True, PATCHINIT_SOURCE=f"{repository[0]}@main")
    assert arguments is None and folder == install.start


def test_results_are_found_again_after_a_restart(install):
    """The module is there, and the kernel begins in Colab's folder."""
    (install.start / "filters-from-patches").mkdir()
    assert install(module_present=True)[1] == install.start / "filters-from-patches"


def test_a_failed_install_stops_the_chapter(install, repository):
    install(fails=True, PATCHINIT_SOURCE=f"{repository[0]}@main")


@pytest.mark.parametrize("opened", [None, "fileId=1aBcD", "github.com/own-er/na.me/tree/main"])
def test_where_the_notebook_came_from_is_unknown(colab, install, opened):
    """A copy in somebody's Drive, or a notebook that runs elsewhere without the module."""
    printed = install(fails=True, **({} if opened is None else colab(opened)))
    assert "set the environment variable PATCHINIT_SOURCE" in printed
