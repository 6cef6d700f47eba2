"""A rule that changes after results is noticed, unless a reason is entered."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from companion.pages.extension import rules_table
from tools import rules

ROOT = Path(__file__).parents[2]
PAGE = "# Protocol\n\n## Words\n\nA bound is\n0.2.\n\n## Changes\n\nNone.\n"


def contradicted(folder):
    """Rules of which the kept table has something else than the history.

    A commit can't name itself: a row may leave it out.
    """
    kept = rules.read(folder)
    true = {row["rule"]: row for row in rules.table(folder, kept)}
    assert [row["rule"] for row in kept] == list(true), "other rules: run python -m tools.rules"
    open_until_later = {"commit": "date", "results_commit": "results_date"}
    left_out = [
        {key for pair in open_until_later.items() if not row[pair[0]] for key in pair}
        for row in kept
    ]
    return [
        row["rule"]
        for row, open_ones in zip(kept, left_out, strict=True)
        if any(row[key] != true[row["rule"]][key] for key in row.keys() - open_ones)
    ]


def test_every_rule_is_the_one_in_the_table():
    """This needs no history."""
    kept = {row["rule"]: row["digest"] for row in rules.read(ROOT)}
    assert kept == rules.digests((ROOT / rules.PAGE).read_text()), "run python -m tools.rules"
    assert not rules.without_entry(rules.read(ROOT))


def test_the_history_bears_the_table_out():
    try:
        assert not contradicted(ROOT), "run python -m tools.rules"
    except rules.NoHistory as reason:
        pytest.skip(f"{rules.TABLE} is not held against the history: {reason}")


class Repository:
    """A made-up history: a page, results of stage B, and what comes after."""

    def __init__(self, folder):
        self.folder, self.minute = folder, 0
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit({rules.PAGE: PAGE})
        self.commit({"results/grid/manifest.json": "{}"})

    def git(self, *arguments):
        date = f"2026-01-01T12:{self.minute:02}:00Z"
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        return subprocess.run(
            ["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True, text=True,
            env=environment | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
        ).stdout.strip()  # fmt: skip

    def write(self, files):
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, files):
        self.write(files)
        self.minute += 1
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")
        return self.git("rev-parse", "HEAD")

    def table(self, why=""):
        """Makes the table, keeps it, and returns its rows by rule."""
        rows = rules.table(self.folder, rules.read(self.folder), why)
        with (self.folder / rules.TABLE).open("w", newline="") as file:
            writer = csv.DictWriter(file, rules.COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        return {row["rule"]: row for row in rows}


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def test_rules_that_came_first_need_no_entry(repository):
    rows = repository.table()
    assert {row["older"] for row in rows.values()} == {"yes", ""}  # none judged the reduced runs
    assert rows["Words"]["commit"] == repository.git("rev-parse", "HEAD~1")
    assert rows["Words"]["results_commit"] == repository.git("rev-parse", "HEAD")
    assert rows["Words"]["date"] == "2026-01-01T12:01:00Z"
    assert not rules.without_entry(list(rows.values())) and not contradicted(repository.folder)


def test_a_rule_changed_after_results_needs_a_reason(repository):
    text = PAGE.replace("0.2", "0.1")
    repository.commit({rules.PAGE: text})
    row = repository.table()["Words"]
    assert row["older"] == "no" and row["results"] == "grid"
    (problem,) = rules.without_entry(rules.read(repository.folder))
    assert problem.startswith(f"{rules.PAGE}, Words: changed after the first results")
    assert not rules.without_entry(list(repository.table("a slip").values()))
    repository.commit({"unrelated": ""})
    assert repository.table()["Words"]["why"] == "a slip", "kept while the rule stays"
    repository.commit({rules.PAGE: text.replace("0.1", "0.15")})
    assert repository.table()["Words"]["why"] == "", "a second change needs a second reason"


def test_a_rule_changed_and_changed_back_is_younger(repository):
    repository.commit({rules.PAGE: PAGE.replace("0.2", "0.1")})
    last = repository.commit({rules.PAGE: PAGE})
    row = repository.table()["Words"]
    assert (row["commit"], row["older"]) == (last, "no")


@pytest.mark.parametrize(
    "text",
    [
        PAGE.replace("is\n0.2", "is 0.2"),
        PAGE.replace("None", "Seeds"),  # what is entered there is no rule
    ],
)
def test_what_is_no_change(repository, text):
    before = repository.table()
    repository.commit({rules.PAGE: text})
    assert repository.table() == before


def test_a_table_may_come_with_what_it_lists(repository):
    """A commit can't name itself: its row is left open, and still says which is older."""
    repository.write({rules.PAGE: PAGE.replace("0.2", "0.1")})
    row = repository.table("a slip")["Words"]
    assert (row["commit"], row["date"], row["older"]) == ("", "", "no")
    last = repository.commit({})
    assert not contradicted(repository.folder)
    assert repository.table()["Words"]["commit"] == last


def test_a_row_that_the_history_contradicts_is_noticed(repository):
    repository.table()
    repository.commit({"results/paper-small/manifest.json": "{}"})
    assert contradicted(repository.folder) == [rules.ALL]


def test_where_there_is_no_history(repository, tmp_path):
    """In a shallow clone, and in an archive, also one that is unpacked inside a repository."""
    clone = ["git", "clone", "--quiet", "--depth", "1", f"file://{repository.folder}"]
    subprocess.run([*clone, tmp_path / "c"], check=True)
    with pytest.raises(rules.NoHistory, match="shallow"):
        rules.table(tmp_path / "c", [])
    inside = repository.folder / "unpacked"
    (inside / "book").mkdir(parents=True)
    (inside / rules.PAGE).write_text(PAGE)
    with pytest.raises(rules.NoHistory, match="not in its repository"):
        rules.table(inside, [])


def test_the_command(repository, monkeypatch, capsys):
    repository.commit({rules.PAGE: PAGE.replace("0.2", "0.1")})
    monkeypatch.chdir(repository.folder)
    monkeypatch.setattr(sys, "argv", ["rules"])
    with pytest.raises(SystemExit, match="Words: changed after the first results"):
        rules.main()
    assert not (repository.folder / rules.TABLE).exists(), "what is refused is not written"
    monkeypatch.setattr(sys, "argv", ["rules", "--why", "a slip"])
    rules.main()
    assert "1 of them younger than results" in capsys.readouterr().out
    assert not contradicted(repository.folder)


def test_the_page_marks_exceptions(repository):
    repository.commit({rules.PAGE: PAGE.replace("0.2", "0.1")})
    shown = rules_table.table(repository.table("a slip").values())
    assert shown.count("**the results**") == 1
    assert "* - Words\n\n    **Exception.** a slip\n" in shown
    assert "none yet" in shown  # of the reduced runs
