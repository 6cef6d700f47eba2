"""Execute one chapter: python -m tools.execute notebooks/NN.ipynb OUTPUT

papermill runs it with notebooks/ as working directory. OUTPUT is written whole or not at all, with
a JSON of seconds and peak memory beside it.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from tools.environment import adopt
from tools.files import write_whole
from tools.pictures import lighten


def kernel_settings(folder: str) -> Config:
    """A kernel that talks through sockets in `folder`: on TCP two may be given the same port."""
    manager = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
    return Config({"KernelManager": manager})


def peak_memory() -> int:
    """Largest resident size among the finished child processes, in bytes: that of the kernel."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes everywhere but on macOS


def cleaned(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed notebook as it is published: the same from every machine, at every time."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        if "remove-stderr" in tags:  # the page hides it, but not the notebook that can be had
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if not tags:
            cell.metadata.pop("tags", None)
    return notebook


def run(source: Path, target: Path, made_from: str = "", shared_memory: int = 0) -> None:
    """Run a chapter into `target`, with what it took and what it was made from beside it.

    `shared_memory`, in bytes, is what a kernel of its own would take besides. What keeps the
    chapter from being made ends the process.
    """
    print(f"{source.stem}: started", flush=True)
    notebook = nbformat.read(source, as_version=4)
    began = time.time()
    try:
        with tempfile.TemporaryDirectory() as folder:
            executed = papermill.execute_notebook(
                notebook, None, cwd=str(source.parent), progress_bar=False,
                kernel_name="python3",  # this interpreter's, whatever it was last saved with
                config=kernel_settings(folder),
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
            )  # fmt: skip
    except PapermillExecutionError as error:
        sys.exit(f"{source.stem}: failed\n{error}")
    except DeadKernelError:
        sys.exit(
            f"{source.stem}: failed, its kernel was killed. The system does so where memory runs "
            "out: a chapter takes up to 1.5 GB. Fewer side by side take less: make book JOBS=1"
        )
    except KeyboardInterrupt:
        sys.exit(f"{source.stem}: interrupted")
    seconds, memory = round(time.time() - began, 1), peak_memory() + shared_memory
    write_whole(target, nbformat.writes(lighten(cleaned(executed))))
    # Last, since by this record the chapter counts as made.
    record = {"seconds": seconds, "peak_memory": memory, "made_from": made_from}
    write_whole(target.with_suffix(".json"), json.dumps(record) + "\n")
    print(f"{source.stem}: done in {seconds:.0f} s, {memory / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    adopt()
    run(Path(sys.argv[1]), Path(sys.argv[2]))
