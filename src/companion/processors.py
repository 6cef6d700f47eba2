"""How many processors this process may use, and no more threads than that.

As a script it prints the number, before anything is installed: the Makefile asks.

A container sees all processors of its host and may have the time of one. torch starts as many
threads as it sees; they wait for each other while the quota is used up, and a minute's work takes
five.
"""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def available_processors(mount: Path = _MOUNT, own: Path = _OWN) -> int:
    """Processors that this process may keep busy, at least 1.

    The least of those that it may run on (its affinity) and the time that its control groups give
    it (the quota of cgroup version 1 or 2, rounded up), with all groups above them.
    """
    # joblib.cpu_count sees the affinity too, but of the quotas only that at the mount's root, and
    # none of a group below it (a service of systemd's, say). The Makefile asks before joblib is
    # there.
    found = [float(len(os.sched_getaffinity(0)))] if hasattr(os, "sched_getaffinity") else []
    return max(1, math.ceil(min([*found, float(os.cpu_count() or 1), *_quotas(mount, own)])))


def _quotas(mount: Path, own: Path) -> list[float]:
    """Every quota above the process, in processors."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        roots = [mount, mount / "unified"]  # of version 2
        if number != "0":
            if "cpu" not in controllers.split(","):
                continue
            roots = [mount / controllers, mount / "cpu"]
        for root in roots:
            # Inside a container the path may be the host's: then the root itself is our group.
            for group in (*PurePosixPath(path).parents, PurePosixPath(path)):
                found += _quota(root / str(group).lstrip("/"))
    return found


def _quota(group: Path) -> list[float]:
    """The quota that is set at one group, if there is one."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = (
                (group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        return [int(quota) / int(period)] if int(quota) > 0 else []
    except (OSError, ValueError):  # none here, "max", or not for us to read
        return []


def limit_threads(most: int | None = None) -> int:
    """Have torch and the libraries under numpy start no more threads than may run at once.

    Fewer are kept where there are fewer (OMP_NUM_THREADS, say). Gives torch's threads from now on.
    """
    import torch
    from threadpoolctl import ThreadpoolController

    most = available_processors() if most is None else most
    if torch.get_num_threads() > most:
        torch.set_num_threads(most)
    for library in ThreadpoolController().lib_controllers:
        if library.num_threads > most:
            library.set_num_threads(most)
    return torch.get_num_threads()


if __name__ == "__main__":
    print(available_processors())
