"""Kernels forked from this process, which has imported what chapters import.

Jupyter starts an interpreter for every chapter, and each imports torch and the others anew: five
seconds of processor, a third of what most chapters take.
"""

from __future__ import annotations

import ast
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from multiprocessing import Pipe, get_context
from typing import Any, ClassVar

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from tools.imports import OURS

FORK = get_context("fork")
NOT_BEFORE = {*OURS, "matplotlib_inline"}


def import_all(codes: Iterable[str], jobs: int) -> None:
    """Import the packages that these codes import at their top. What fails does so in its chapter.

    Not our own modules, which may change while chapters run, nor what asks for a running IPython.
    With two jobs, a second process begins at the other end: in a new environment half the time is
    taken by compiling, and each finds what the other has compiled.
    """
    # As a kernel and a chapter's start set it: both are asked for once, at import.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    nodes = [node for code in codes for node in ast.parse(code).body]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    order = sorted(name for name in names if name.split(".")[0] not in NOT_BEFORE)
    if jobs > 1:
        FORK.Process(target=import_each, args=(order[::-1],)).start()
    import_each(order)


def import_each(names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):
            import_module(name)


class Kernel(FORK.Process):  # type: ignore[name-defined]
    """A process that waits to be told a kernel's command line, and has Popen's methods.

    It is forked at once: an event loop and threads, which come later, must not be copied.
    """

    stdin = stdout = stderr = None

    def __init__(self) -> None:
        super().__init__()
        self._orders, self._to_child = Pipe(duplex=False)
        self.start()
        self._orders.close()

    def run(self) -> None:
        self._to_child.close()
        try:
            arguments, folder, variables = self._orders.recv()
        except EOFError:  # dismissed
            return
        # tools/ is not there for a reader's kernel.
        sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]
        for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
            del sys.modules[name]
        os.setsid()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        IPKernelApp.launch_instance(arguments)

    def begin(self, command: list[str], folder: str, variables: dict[str, str]) -> None:
        # It ends without its parent, whose number ipykernel looks up when it is imported.
        arguments = [*command[command.index("-f") :], f"--IPKernelApp.parent_handle={os.getpid()}"]
        self._to_child.send((arguments, folder, variables))

    def dismiss(self) -> None:
        """Let it end, if no kernel was asked for."""
        self._to_child.close()

    def poll(self) -> int | None:
        return self.exitcode

    def wait(self) -> int | None:
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        if self.exitcode is None and self.pid:
            os.kill(self.pid, number)


class ForkedKernel(LocalProvisioner):
    """What Jupyter asks for a kernel's process: gives it the one that waits."""

    waiting: ClassVar[Kernel]

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        self.process = kernel = self.waiting
        self.pid = self.pgid = kernel.pid
        kernel.begin(cmd, kwargs.get("cwd", os.getcwd()), kwargs["env"])
        return self.connection_info


@contextlib.contextmanager
def forked_kernel() -> Iterator[None]:
    """Fork the kernel now that is started within this block."""
    factory = KernelProvisionerFactory.instance()
    place = f"{ForkedKernel.__module__}:{ForkedKernel.__qualname__}"
    factory.provisioners["forked"] = EntryPoint("forked", place, factory.GROUP_NAME)
    factory.default_provisioner_name = "forked"
    ForkedKernel.waiting = kernel = Kernel()
    try:
        yield
    finally:
        kernel.dismiss()
