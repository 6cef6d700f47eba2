"""Execute one chapter: python -m tools.execute notebooks/NN.ipynb OUTPUT

papermill runs it with notebooks/ as working directory. OUTPUT is written whole or not at all, with
a JSON of seconds and peak memory beside it.
"""

import contextlib
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from tools.environment import adopt
from tools.files import write_whole
from tools.pictures import lighten

PAUSE = 0.1  # seconds between two looks at the memory


def kernel_settings(folder: str) -> Config:
    """A kernel that talks through sockets in `folder`: on TCP two may be given the same port."""
    manager = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
    return Config({"KernelManager": manager})


def own_memory(process: psutil.Process) -> int:
    """Bytes that a process has of its own, 0 once it has ended.

    What the system counts for it has files of libraries in it, of which it maps more or less as it
    likes: half a gigabyte here or there.
    """
    with contextlib.suppress(psutil.Error):
        info = process.memory_info()
        return info.rss - getattr(info, "shared", 0)
    return 0


class Peak(threading.Thread):
    """Looks at the child processes until it is told to stop: a kernel, and what it starts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.memory, self._ended = 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(PAUSE):
            own = sum(map(own_memory, psutil.Process().children(recursive=True)))
            self.memory = max(self.memory, own)

    def stop(self) -> int:
        """Bytes of their own at the most, as far as was seen."""
        self._ended.set()
        self.join()
        return self.memory


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


def run(source: Path, target: Path, made_from: str = "") -> None:
    """Run a chapter into `target`, with what it took and what it was made from beside it.

    What keeps the chapter from being made ends the process.
    """
    print(f"{source.stem}: started", flush=True)
    notebook = nbformat.read(source, as_version=4)
    began, peak = time.time(), Peak()
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
            "out: a chapter takes up to 1.1 GB. Fewer side by side take less: make book JOBS=1"
        )
    except KeyboardInterrupt:
        sys.exit(f"{source.stem}: interrupted")
    seconds, memory = round(time.time() - began, 1), peak.stop()
    write_whole(target, nbformat.writes(lighten(cleaned(executed))))
    # Last, since by this record the chapter counts as made.
    record = {"seconds": seconds, "peak_memory": memory, "made_from": made_from}
    write_whole(target.with_suffix(".json"), json.dumps(record) + "\n")
    print(f"{source.stem}: done in {seconds:.0f} s, {memory / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    adopt()
    run(Path(sys.argv[1]), Path(sys.argv[2]))
