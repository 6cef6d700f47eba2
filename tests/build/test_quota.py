"""The control group in which chapters are measured has the quota that was asked for."""

import pytest

from benchmarks import quota


@pytest.fixture
def groups(tmp_path, monkeypatch):
    monkeypatch.setattr(quota, "GROUPS", tmp_path)
    monkeypatch.setattr(quota.time, "sleep", lambda _: None)
    return tmp_path


def test_version_1(groups):
    (groups / "cpu,cpuacct").mkdir()
    with quota.group(1.5) as made:
        (made / "cpu.stat").write_text("nr_periods 9\nthrottled_time 2500000000\n")
        assert made.parent == groups / "cpu,cpuacct"
        assert (made / "cpu.cfs_quota_us").read_text() == "150000"
        assert (made / "cpu.cfs_period_us").read_text() == "100000"
        assert quota.throttled(made) == 2.5


def test_version_2(groups):
    (groups / "cgroup.controllers").write_text("cpu memory")
    with quota.group(1) as made:
        (made / "cpu.stat").write_text("usage_usec 9\nthrottled_usec 1500000\n")
        assert (made / "cpu.max").read_text() == "100000 100000"
        assert (groups / "cgroup.subtree_control").read_text() == "+cpu"
        assert quota.throttled(made) == 1.5


def test_no_control_groups(groups):
    with pytest.raises(SystemExit, match="no control groups"), quota.group(1):
        pass


def test_groups_that_are_not_for_us(groups):
    """As without root: the folder can't be made."""
    (groups / "cpu").write_text("")
    (groups / "cgroup.controllers").mkdir()
    (groups / "cgroup.subtree_control").mkdir()
    with pytest.raises(SystemExit, match="run this as root"), quota.group(1):
        pass
