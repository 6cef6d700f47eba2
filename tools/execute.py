"""Execute one chapter: python -m tools.execute notebooks/NN.ipynb OUTPUT [-p NAME VALUE] ...

papermill runs it with notebooks/ as working directory. OUTPUT is written whole or not at all, with
a JSON of seconds and peak memory beside it. A parameter that the chapter does not have, and a
chapter without a cell tagged `parameters`, are errors: papermill itself would only warn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from tools import notebook_gates
from tools.files import write_whole

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def kernel_settings(folder: str) -> Config:
    """A kernel that talks through sockets in `folder`.

    Kernels that start side by side on TCP may be given the same port; and without a folder of its
    own each would use `kernel-ipc` in the working directory.
    """
    return Config(
        {"KernelManager": {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}}
    )


class Progress:
    """Lines that say which cell a chapter is at, by the second hand and not by the cell.

    A chapter of short cells stays quiet and a long cell still shows life. On a hosted build the
    lines are rare, as each stays in the log.
    """

    def __init__(self, name: str, n_cells: int) -> None:
        self.name, self.n_cells, self.cell = name, n_cells, 0
        self.every = 60.0 if os.environ.get("CI") else 10.0  # seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        self.began = time.monotonic()
        print(f"{self.name}: started", flush=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def at(self, *, cell_index: int, **_: object) -> None:
        self.cell = cell_index + 1

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def _tick(self) -> None:
        while not self._done.wait(self.every):
            print(
                f"{self.name}: cell {self.cell} of {self.n_cells}, {self.seconds():.0f} s",
                flush=True,
            )


def peak_memory() -> int:
    """Largest resident size among the finished child processes, in bytes: that of the kernel."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes everywhere but on macOS


def cleaned(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed notebook as it is published.

    papermill notes absolute paths, times and a run number: they name the machine and make every
    page differ from the last build. So may what a cell says on stderr; the page hides it, but not
    the notebook that a reader downloads. The injected parameters are hidden, they show in use.
    """
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        if "remove-stderr" in tags:
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if not tags:
            cell.metadata.pop("tags", None)
        elif "injected-parameters" in tags and "remove-cell" not in tags:
            tags.append("remove-cell")
    return notebook


def execute(source: Path, target: Path, parameters: dict[str, object]) -> dict[str, float]:
    """Run the chapter `source` into `target`; returns its seconds and peak memory in bytes."""
    notebook = nbformat.read(source, as_version=4)
    problems = notebook_gates.parameters_cell(notebook) or notebook_gates.unknown_parameters(
        sorted(parameters), papermill.inspect_notebook(str(source))
    )
    if problems:
        raise ValueError(f"{source}: " + "; ".join(problems))
    began = time.time()
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(source.stem, len(notebook.cells)) as progress,
    ):
        executed = papermill.execute_notebook(
            notebook,
            None,
            parameters=parameters,
            cwd=str(source.parent),
            progress_bar=False,
            on_cell_start=progress.at,
            config=kernel_settings(folder),
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
        cost = {"seconds": round(progress.seconds(), 1), "peak_memory": peak_memory()}
    write_whole(target.with_suffix(".json"), json.dumps(cost) + "\n")
    write_whole(target, nbformat.writes(cleaned(executed)))
    # As old as its start: an edit made while the chapter ran is newer, and Make sees it.
    os.utime(target, (began, began))
    return cost


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument(
        "-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE")
    )
    parser.add_argument("--jobs", type=int, default=1, help="chapters running side by side")
    given = parser.parse_args(arguments)

    if given.jobs > 1:  # several chapters share the cores: one thread each
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    if root := os.environ.get("PATCHINIT_DATA"):  # the kernel runs in another folder
        os.environ["PATCHINIT_DATA"] = str(Path(root).expanduser().resolve())
    os.environ.setdefault("PYTHONHASHSEED", "0")

    parameters = {name: yaml.safe_load(value) for name, value in given.parameter}
    try:
        cost = execute(given.source, given.target, parameters)
    except (ValueError, PapermillExecutionError) as error:
        sys.exit(f"{given.source.stem}: failed\n{error}")
    except KeyboardInterrupt:
        sys.exit(f"{given.source.stem}: interrupted")
    print(
        f"{given.source.stem}: done in {cost['seconds']:.0f} s, {cost['peak_memory'] / 1e9:.2f} GB",
        flush=True,
    )


if __name__ == "__main__":
    main()
