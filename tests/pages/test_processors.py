"""Threads follow the quota and the affinity of the process."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from threadpoolctl import ThreadpoolController, threadpool_info

from companion import processors
from companion.pages.style import use_style
from companion.processors import available_processors, limit_threads
from companion.runs import cli


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes control groups as the kernel shows them; the machine has 48 processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: 48)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(48)), raising=False)
    own = tmp_path / "own"

    def write(membership, files):
        own.write_text(membership)
        for name, text in files.items():
            path = tmp_path / "mount" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return available_processors(tmp_path / "mount", own)

    return write


QUOTA, PERIOD = "box/cpu.cfs_quota_us", "box/cpu.cfs_period_us"  # of the first version


@pytest.mark.parametrize(
    ("membership", "files", "processors"),
    [
        ("0::/", {"cpu.max": "100000 100000"}, 1),
        ("0::/", {"cpu.max": "max 100000"}, 48),
        ("0::/", {"cpu.max": "150000 100000"}, 2),  # what is left of a processor is used
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        ("0::/pod/box", {"pod/box/cpu.max": "400000 100000"}, 4),
        ("0::/pod/box", {"pod/cpu.max": "200000 100000", "pod/box/cpu.max": "max 100000"}, 2),
        # A container without a name space of its own: the path is the host's, the mount its own.
        ("0::/kubepods/pod7", {"cpu.max": "300000 100000"}, 3),
        (
            "5:memory:/box\n4:cpu,cpuacct:/box\n0::/",
            {f"cpu,cpuacct/{QUOTA}": "100000", f"cpu,cpuacct/{PERIOD}": "100000"},
            1,
        ),
        ("4:cpu:/box", {f"cpu/{QUOTA}": "-1", f"cpu/{PERIOD}": "100000"}, 48),
        ("0::/", {}, 48),
        ("0::/", {"cpu.max": "nonsense"}, 48),
    ],
)
def test_quota(groups, membership, files, processors):
    lines = {name: f"{text}\n" for name, text in files.items()}
    assert groups(f"{membership}\n", lines) == processors


def test_affinity(groups, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 7}, raising=False)
    assert groups("0::/\n", {"cpu.max": "max 100000\n"}) == 2


def test_no_control_groups(tmp_path):
    assert available_processors(tmp_path, tmp_path / "none") >= 1


def limited():
    torch.set_num_threads(3)
    for library in ThreadpoolController().lib_controllers:
        library.set_num_threads(4)
    limits = limit_threads(2), limit_threads(5)
    return limits, max(pool["num_threads"] for pool in threadpool_info())


def test_threads_are_limited_and_never_raised(ready):
    """In a process of its own: limits are for a whole process."""
    with ProcessPoolExecutor(1, ready) as process:
        limits, most = process.submit(limited).result()
    assert limits == (2, 2) and most == 2


def begun():
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
    torch.set_num_threads(8)
    use_style()
    return torch.get_num_threads()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_chapter_starts_no_more_threads_than_may_run(ready):
    with ProcessPoolExecutor(1, ready) as process:
        assert process.submit(begun).result() == 1


def test_the_command_limits_threads_before_it_makes_a_run(tmp_path, monkeypatch):
    def limit():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "limit_threads", limit)
    assert cli.main(["run", "paper-small", "--folder", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []


def test_as_a_script_before_anything_is_installed():
    """The Makefile asks it how many chapters to run side by side."""
    asked = [sys.executable, "-I", "-S", processors.__file__]
    assert int(subprocess.check_output(asked, text=True)) == available_processors()
