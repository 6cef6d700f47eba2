"""The hosted runs, as far as their files tell: what is published, kept, and stood on."""

import re
import stat
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / ".github"
FILES = {path.stem: path for path in (FOLDER / "workflows").glob("*.yml")}
#: The majors that run on the Node of today's runners; older ones ask for one that is gone.
OLDEST = {
    "actions/checkout": 7,
    "actions/setup-python": 7,
    "actions/cache": 5,
    "actions/upload-pages-artifact": 5,
    "actions/deploy-pages": 5,
}


def steps(name, job):
    return yaml.safe_load(FILES[name].read_text())["jobs"][job]["steps"]


@pytest.mark.parametrize("name", FILES)
def test_actions_are_of_present_majors(name):
    used = re.findall(r"uses: (actions/[\w-]+)(?:/\w+)?@v(\d+)", FILES[name].read_text())
    assert all(int(major) >= OLDEST[action] for action, major in used)


@pytest.mark.parametrize(("name", "job"), [("book", "check"), ("weekly", "book")])
def test_data_are_kept_though_a_later_step_fails(name, job):
    """Saved by a step of its own, right after they have come, and only if all of them have."""
    found = steps(name, job)
    (fetch,) = [n for n, step in enumerate(found) if step.get("run") == "make data"]
    assert found[fetch + 1]["uses"].startswith("actions/cache/save")
    assert "cache-hit != 'true'" in found[fetch + 1]["if"]
    assert any(step.get("run") == "make book" for step in found[fetch + 2 :])


@pytest.mark.parametrize("name", ["book", "release"])
def test_what_is_published_is_never_made_from_stand_ins(name):
    setting = yaml.safe_load(FILES[name].read_text())["env"]["PATCHINIT_REQUIRE_DATA"]
    assert setting in ("1", "${{ github.event_name != 'pull_request' && '1' || '' }}")


@pytest.mark.parametrize("name", ["book", "release", "weekly"])
def test_pages_are_looked_at_wherever_they_are_built(name):
    """Without the switch, a runner without a browser would pass the gate over."""
    for job in yaml.safe_load(FILES[name].read_text())["jobs"].values():
        for step in job["steps"]:
            if step.get("run") in ("make book", "make release"):
                file = yaml.safe_load(FILES[name].read_text())
                set_for = file.get("env", {}) | job.get("env", {}) | step.get("env", {})
                assert set_for["PATCHINIT_REQUIRE_BROWSER"] == "1"


def test_the_weekly_run_keeps_itself_alive():
    jobs = yaml.safe_load(FILES["weekly"].read_text())["jobs"]
    assert jobs["stay"]["permissions"] == {"actions": "write"}
    assert "gh workflow enable weekly.yml" in jobs["stay"]["steps"][0]["run"]
    assert set(jobs["tell"]["needs"]) == set(jobs) - {"tell"}, "whatever fails is told"


def test_colabs_image_runs_the_script():
    (run,) = [
        step["run"] for step in steps("weekly", "colab") if "docker run" in step.get("run", "")
    ]
    assert "us-docker.pkg.dev/colab-images/public/runtime:latest /book/.github/colab.sh" in run
    assert (FOLDER / "colab.sh").stat().st_mode & stat.S_IXUSR


def test_links_are_those_of_what_was_released():
    """`make release` makes the very file that the weekly run fetches."""
    makefile = (FOLDER.parent / "Makefile").read_text()
    assert '"_build/release/site", "gztar"' in makefile and "SHA256SUMS" in makefile
    assert any(
        "--pattern 'site.tar.gz'" in step.get("run", "") for step in steps("weekly", "links")
    )
