"""Chapters run to their end on stand-ins.

Their install cell finds the repository; docstring examples run.
"""

import doctest
import http.server
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import papermill
import pytest

import patchinit
from tools.execute import kernel_settings

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
INSTALL = "# Where the module is absent"

# As little as each chapter can do with: its start and its figures then take most of the time.
SMALL = {
    "01": {"n_images": 10, "n_filters": 20, "n_pairs": 10, "n_magnitudes": 50, "n_draws": 2},
    "02": {"n_images": 20, "n_samples": 2, "n_directions": 20},
    "03": {
        "n_images": 20, "reference_images": 200, "reference_images_large": 40,
        "sample_sizes": [1, 3, 20], "n_draws": 2, "readout_images": 100,
    },
    "04": {
        "n_images": 20, "n_filters": 6, "n_patches": 800, "n_repeats": 2, "cluster_counts": [3, 6],
        "n_small": 200, "outlier_shares": [0.2], "n_runs": 2,
    },
    "05": {"n_images": 20, "n_draws": 2},
    "06": {"n_images": 20, "n_train": 64, "n_test": 32, "epochs": 2, "width": 4},
    "07": {"n_images": 20, "n_seeds": 2, "n_train": 32, "n_test": 16, "epochs": 1, "width": 4},
    "09": {"n_patch_images": 20},
    "10": {"n_train": 32, "epochs": 1, "width": 4},
}  # fmt: skip


# The kernel is a process of its own; what its client warns of is not the chapter's.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_runs_on_stand_ins(chapter, tmp_path, monkeypatch):
    """Chapters of even number from the root of the repository, the others from their own folder."""
    number = chapter.stem[:2]
    parameters = SMALL.get(number, {})
    assert parameters.keys() <= papermill.inspect_notebook(str(chapter)).keys()  # it only warns
    monkeypatch.setenv("PATCHINIT_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    executed = papermill.execute_notebook(
        chapter,
        None,
        parameters=parameters,
        cwd=ROOT if int(number) % 2 == 0 else chapter.parent,
        progress_bar=False,
        config=kernel_settings(str(tmp_path)),
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    html = "".join(
        output.get("data", {}).get("text/html", "") for cell in code for output in cell.outputs
    )
    if any("load_images" in cell.source for cell in code):  # chapter 8 reads results alone
        assert "could not be had where this page was made" in html
    assert not (tmp_path / "empty").exists(), "nothing was fetched"


# --- The install cell -----------------------------------------------------------------------------


def install_cells(chapter):
    return [
        cell.source
        for cell in nbformat.read(chapter, as_version=4).cells
        if cell.source.startswith(INSTALL)
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
def sessions():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sessions) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        yield server
        server.shutdown()


@pytest.fixture
def install(tmp_path):
    """Runs the install cell with a stub for pip; returns pip's arguments, None if not run."""
    stub = tmp_path / "stub" / "pip"
    stub.mkdir(parents=True)
    record = tmp_path / "arguments.json"
    (stub / "__init__.py").touch()
    (stub / "__main__.py").write_text(
        "import json, os, sys\n"
        "with open(os.environ['RECORD'], 'w') as file:\n    json.dump(sys.argv[1:], file)\n"
        "sys.exit(int(os.environ.get('PIP_FAILS', 0)))\n"
    )

    def run(*, module_present=False, fails=False, **environment):
        known = {
            key: value
            for key, value in os.environ.items()
            if key in ("PATH", "HOME", "SYSTEMROOT", "LD_LIBRARY_PATH")
        }
        places = [str(stub.parent)]
        if module_present:
            places.append(str(ROOT / "src"))
        environment = (
            known | environment | {"PYTHONPATH": os.pathsep.join(places), "RECORD": str(record)}
        )
        environment |= {"no_proxy": "127.0.0.1"} | ({"PIP_FAILS": "1"} if fails else {})
        # -S: without the packages of this environment, the module among them.
        done = subprocess.run(
            [sys.executable, "-S", "-c", install_cells(CHAPTERS[0])[0]],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stderr
        return json.loads(record.read_text()) if record.exists() else None

    return run


@pytest.mark.parametrize(
    "opened, source",
    [
        (
            "github.com/owner/name/blob/main/notebooks/01-a.ipynb",
            "git+https://github.com/owner/name@main",
        ),
        (
            "/content/github.com/own-er/na.me/blob/v0.1/x.ipynb",
            "git+https://github.com/own-er/na.me@v0.1",
        ),
        (
            "fileId=https%3A%2F%2Fgithub.com%2Fowner%2Fname%2Fblob%2Fmain%2Fnotebooks%2F01-a.ipynb",
            "git+https://github.com/owner/name@main",
        ),
    ],
)
def test_install_finds_the_repository_that_the_notebook_came_from(
    sessions, install, opened, source
):
    sessions.opened = opened
    arguments = install(COLAB_JUPYTER_IP="127.0.0.1", KMP_TARGET_PORT=str(sessions.server_port))
    assert arguments == ["install", "-q", f"patchinit[chapters] @ {source}"]


def test_install_takes_a_named_source(install):
    source = "git+https://example.org/somewhere.git@topic"
    assert install(PATCHINIT_SOURCE=source) == ["install", "-q", f"patchinit[chapters] @ {source}"]


def test_nothing_is_installed_where_the_module_is(install):
    assert install(module_present=True, PATCHINIT_SOURCE="git+https://example.org/x") is None


def test_a_failed_install_stops_the_chapter(install):
    assert install(fails=True, PATCHINIT_SOURCE="git+https://example.org/x")


# --- Examples in docstrings -----------------------------------------------------------------------


def doctests():
    """Every example of the module, by the name of what it documents."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = [found.name for found in pkgutil.walk_packages(patchinit.__path__, "patchinit.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    return [
        test for module in [patchinit, *modules] for test in finder.find(module) if test.examples
    ]


@pytest.mark.parametrize("test", doctests(), ids=lambda test: test.name)
def test_example_in_docstring(test, capsys):
    result = doctest.DocTestRunner().run(test)
    assert result.attempted and not result.failed, capsys.readouterr().out
