"""A build that the user's environment can't bend, and two at once."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.tiny_book import ROOT, TARGET, step, write_book, write_chapter
from tools import environment as env
from tools.files import one_at_a_time, write_whole

DRAW = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title(r'50 % \\\\cdot');"


@pytest.fixture
def hostile(tmp_path):
    """What a user's environment may hold, by name; each has changed or ended a build."""
    there = tmp_path / "theirs"
    files = {
        "modules/scipy/__init__.py": "raise ImportError('another scipy')",
        "modules/matplotlib/__init__.py": "raise ImportError('another matplotlib')",
        "modules/sitecustomize.py": "raise SystemExit('another site')",
        "jupyter/kernels/python3/kernel.json": json.dumps(
            {"argv": ["/bin/false", "{connection_file}"], "display_name": "P", "language": "python"}
        ),
        "config/jupyter_config.py": "c.KernelManager.transport = 'nonsense'",
        "ipython/profile_default/ipython_config.py": (
            "c = get_config()\nc.InteractiveShell.ast_node_interactivity = 'all'\n"
            "c.InteractiveShellApp.exec_lines = ['print(\"a profile\")']"
        ),
        "matplotlibrc": "text.usetex: True\nbackend: agg",
        "startup.py": "print('a startup file')",
        "file": "",
    }
    for name, text in files.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text(text)
    long = tmp_path / ("t" * 100)
    long.mkdir()
    return {
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(there),
        "MATPLOTLIBRC": str(there / "matplotlibrc"),
        "PYTHONPATH": str(there / "modules"),
        "PYTHONSAFEPATH": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONSTARTUP": str(there / "startup.py"),
        "PYTHONHASHSEED": "7",
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTER_PATH": str(there / "jupyter"),
        "JUPYTER_DATA_DIR": str(there / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(there / "config"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "IPYTHONDIR": str(there / "ipython"),
        "HOME": str(there / "file" / "home"),  # can't be made, not even by root
        "TMPDIR": str(long),
        "GIT_DIR": str(there / "file"),
        "LC_ALL": "C",
    }


def test_make_book_in_a_hostile_environment(hostile, tmp_path):
    """The build's own commands, under all of it at once."""
    book = tmp_path / "book here"  # a space, too
    book.mkdir()
    write_book(book)
    write_chapter(book, "1\n2", DRAW, figure=True)
    (book / "book/index.md").write_text("# Tiny\n\n{numref}`fig-line`, $x$\n")
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    del config["bibtex_bibfiles"], config["logo"], config["html"]["favicon"]
    extensions = config["sphinx"]["config"]["extensions"]
    extensions.remove("sphinxcontrib.bibtex")
    extensions[extensions.index("companion.pages.extension")] += ".site"
    for unused in ("bibtex_reference_style", "bibtex_default_style", "html_static_path"):
        del config["sphinx"]["config"][unused]
    (book / "_config.yml").write_text(yaml.safe_dump(config))
    shutil.copy(ROOT / "Makefile", book)
    shutil.copytree(ROOT / "tools", book / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.lock", "pyproject.toml", ".venv/.locked", ".venv/.installed",
                 "_build/data-fetched"):  # fmt: skip
        (book / name).parent.mkdir(exist_ok=True)
        (book / name).touch()
    done = subprocess.run(
        ["make", "book", f"PY={sys.executable}", "JOBS=1"],
        cwd=book, env=os.environ | hostile | {"PATCHINIT_DATA": "nowhere"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Gates: passed" in done.stdout
    page = (book / "_build/html/notebooks/01-tiny.html").read_text()
    assert '<img alt="A line."' in page
    plain, _, figure = nbformat.read(book / TARGET, as_version=4).cells[-3:]
    assert [output.data["text/plain"] for output in plain.outputs] == ["2"]
    assert "image/png" in figure.outputs[0].data


def test_what_is_the_builds_own_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    kept = {"PATCHINIT_OFFLINE": "1", "OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "avx2"}
    for name, value in (kept | {"PATCHINIT_DATA": "~/d"}).items():
        monkeypatch.setenv(name, value)
    found = env.environment()
    assert kept.items() <= found.items()
    assert found["PATCHINIT_DATA"] == str(tmp_path / "d")  # a kernel runs in another folder


def test_no_folder_for_sockets(monkeypatch):
    monkeypatch.setattr(env, "_can_write", lambda folder: folder not in ("/tmp", "/var/tmp"))
    monkeypatch.setattr(env.tempfile, "gettempdir", lambda: "/" + "t" * 90)
    with pytest.raises(SystemExit, match="is too long: a kernel's sockets .* at most 60"):
        env.temporary_folder()


# --- Two at once ----------------------------------------------------------------------------------


def test_writers_of_one_file(tmp_path):
    """Eight write and one reads: every text is whole, none fails, nothing is left over."""
    path, stop = tmp_path / "file", threading.Event()
    texts = [f"{n}" * 200_000 for n in range(8)]
    seen = set()

    def read():
        while not stop.is_set():
            if path.exists():
                seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write_whole, path, text) for text in texts * 10]:
            done.result()
    stop.set()
    reader.join()
    assert seen and seen <= set(texts)
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\udc80")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_second_build_waits(tmp_path):
    command = [sys.executable, "-m", "tools.alone", "echo", "built"]
    with one_at_a_time(tmp_path / "_build/lock"):
        second = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert "at work in this folder" in second.stdout.readline()
        time.sleep(0.3)
        assert second.poll() is None
    assert second.communicate(timeout=30)[0] == "built\n" and second.returncode == 0


def test_status_of_the_command_that_runs_alone(tmp_path):
    assert step(tmp_path, "tools.alone", "false").returncode == 1


def test_folder_without_locks(tmp_path, monkeypatch, capsys):
    """The build goes on, and says that nobody is kept out."""
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with one_at_a_time(tmp_path / "lock"):
        pass
    assert "can't be locked (No locks available): start no second build" in capsys.readouterr().out


# --- Data that a published build needs ------------------------------------------------------------


def test_published_build_without_data(tmp_path, monkeypatch):
    monkeypatch.delenv("PATCHINIT_REQUIRE_DATA", raising=False)
    nothing = {"PATCHINIT_OFFLINE": "1", "PATCHINIT_DATA": str(tmp_path)}
    where = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = step(ROOT, "tools.data", PYTHONPATH=where, **nothing)
    assert done.returncode == 0 and "Chapters use a stand-in" in done.stdout
    done = step(ROOT, "tools.data", PYTHONPATH=where, **nothing, PATCHINIT_REQUIRE_DATA="1")
    assert done.returncode != 0 and "PATCHINIT_REQUIRE_DATA is set" in done.stderr
    assert done.stdout.count("downloading is off") == 2, "neither was asked for elsewhere"
    assert list(Path(tmp_path).iterdir()) == []
