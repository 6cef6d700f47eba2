"""Which is older, a rule or the first results that it judges: python -m tools.rules

Writes book/rules.csv from git's history. The page book/rules.md shows it, also where there is no
git. A rule whose present text is younger than results needs a reason, which is entered once and
kept as long as the text stays: python -m tools.rules --why REASON [FILE...]
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.files import write_if_changed

TABLE = Path("book/rules.csv")
PAGE = "book/protocol.md"
STAGES = ("anchor", "grid", "null", "anchor-cifar10", "beyond")
# Of the second registration.
LATER = (
    "confirm", "six-seeds", "null-all", "unspoiled", "every-layer", "few-labels", "width", "wide",
)  # fmt: skip
# Made before anything was registered.
REDUCED = ("paper-small", "norms-small", "frozen-small")
# What a section of the page judges, where that is not every stage.
JUDGES = {
    "Before the stages: `precision`": ("precision",),
    "Stage A: `anchor`": ("anchor",),
    "Stage B: `grid`": ("grid",),
    "Stage C: `null`": ("null",),
    "Stage D: `anchor-cifar10`": ("anchor-cifar10",),
    "Stage E: `beyond`": ("beyond",),
    "Looks: claim 2": ("anchor",),
    "Speed: claims 6 and 30": ("anchor", "anchor-cifar10"),
    "The null of claims 7 to 9": ("grid", "null"),
    "Little change and a minimum: claim 9": ("grid",),
    "Every layer, and fewer labels: claims 24 and 25": ("beyond",),
    "The second registration": LATER,
    "The new stages": LATER,
    "The book's own claims: 31 to 35": ("confirm", "six-seeds", "unspoiled", "width"),
    "Second looks": ("six-seeds",),
    "When the looks are made": LATER,
}
NO_RULES = ("What every run records", "What is shown beside the verdicts", "Changes")
COLUMNS = (
    "rule", "file", "judges", "digest", "commit", "date",
    "results", "results_commit", "results_date", "older", "why",
)  # fmt: skip


class NoHistory(Exception):
    """Nothing here tells what came first; the text says why."""


# --- Rules as they stand -------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """A text that judges, and how to find it in a version of its file."""

    name: str
    file: str
    judges: tuple[str, ...]  # studies
    digest: Callable[[str], str | None]  # of the file's content; None if the rule is not in it


def sections(page: str) -> dict[str, str]:
    """{heading: its own text} of a page, as one line each: where lines break says nothing."""
    _, *parts = re.split(r"^##+ (.+)$", page, flags=re.MULTILINE)
    return {
        heading: " ".join(text.split())
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
        if text.strip()
    }


def _digest(text: str | None) -> str | None:
    return text and hashlib.sha256(text.encode()).hexdigest()[:16]


def rules(root: Path) -> Iterator[Rule]:
    """Every rule: the page's sections in their order."""
    found = sections((root / PAGE).read_text(encoding="utf-8"))
    for name in (name for name in found if name not in NO_RULES):
        yield Rule(
            name, PAGE, JUDGES.get(name, STAGES),
            lambda page, name=name: _digest(sections(page).get(name)),
        )  # fmt: skip
    yield Rule(
        "All of them, for the reduced runs", PAGE, REDUCED,
        lambda page: _digest(
            str([text for name, text in sections(page).items() if name not in NO_RULES])
        ),
    )  # fmt: skip


# --- The history ---------------------------------------------------------------------------------


def _git(root: Path, *arguments: str) -> str:
    # core.quotepath would escape a name, and GIT_DIR is another folder's in a hook.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"TZ": "UTC"}
    command = ["git", "-C", str(root), "-c", "core.quotepath=off", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def ask_for_history(root: Path) -> None:
    """Raise NoHistory unless git knows this folder from its first commit."""
    try:
        _git(root, "ls-files", "--error-unmatch", PAGE)
        shallow = _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"
    except (OSError, subprocess.CalledProcessError):
        raise NoHistory("there is no git here, or this folder is not in its repository") from None
    if shallow:
        raise NoHistory("this clone is shallow; `git fetch --unshallow` brings the history")


@dataclass(frozen=True)
class Commit:
    """A commit and its date, UTC."""

    hash: str
    date: str


def _log(root: Path, *arguments: str) -> list[tuple[Commit, str]]:
    """Commits that changed one file, newest first, with its name there."""
    said = _git(
        root, "log", "--topo-order", "--name-only", "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
        "--format=%x00%H %cd", *arguments,
    )  # fmt: skip
    found = []
    for entry in said.split("\0")[1:]:
        first, *names = entry.split("\n")
        # No name: a merge that took the file over from one of its sides.
        found += [(Commit(*first.split(" ")), name) for name in names if name]
    return found


def versions(root: Path, file: str) -> list[tuple[Commit, str]]:
    """Each commit that changed a file, under older names too, newest first, and its content there.

    A merge is among them if its content is that of neither side.
    """
    found = []
    for commit, name in _log(root, "--follow", "--diff-merges=combined", "--", file):
        try:
            found.append((commit, _git(root, "show", f"{commit.hash}:{name}")))
        except subprocess.CalledProcessError:  # deleted there
            found.append((commit, ""))
    return found


def came_in(rule: Rule, present: str | None, history: list[tuple[Commit, str]]) -> Commit | None:
    """The commit from which on the rule's text is the present one; None if it is in none yet."""
    since = None
    for commit, content in history:
        same = rule.digest(content) == present
        if since and not same:
            break
        since = commit if same else since
    return since


def first_results(root: Path, study: str) -> Commit | None:
    """The commit that brought a study's first results; None if there is none yet."""
    added = _log(root, "--diff-filter=A", "--", f"results/{study}/manifest.json")
    return added[-1][0] if added else None


def is_older(root: Path, rule: Commit | None, results: Commit | None) -> bool:
    """Whether the results' commit builds on the rule's, and is another one."""
    if rule is None or results is None:
        return rule is not None
    if rule.hash == results.hash:
        return False
    try:
        _git(root, "merge-base", "--is-ancestor", rule.hash, results.hash)
    except subprocess.CalledProcessError:
        return False
    return True


def table(root: Path, kept: list[dict], why: str = "", files: Sequence[str] = ()) -> list[dict]:
    """The rows by the history; reasons stay while a rule's text does.

    `why` is for those that have none yet, in `files` or in all.
    """
    ask_for_history(root)
    reasons = {(row["rule"], row["file"], row["digest"]): row["why"] for row in kept}
    there = {path.parent.name for path in (root / "results").glob("*/manifest.json")}
    results = {study: first_results(root, study) for study in sorted(there)}
    history: dict[str, list] = {}
    rows = []
    for rule in rules(root):
        if rule.file not in history:
            history[rule.file] = versions(root, rule.file)
        digest = rule.digest((root / rule.file).read_text(encoding="utf-8"))
        since = came_in(rule, digest, history[rule.file])
        row = dict.fromkeys(COLUMNS, "") | {"rule": rule.name, "file": rule.file, "digest": digest}
        row["judges"] = " ".join(rule.judges)
        if since:
            row |= {"commit": since.hash, "date": since.date}
        if judged := [study for study in rule.judges if study in there]:
            # What is in no commit yet comes last.
            study = min(judged, key=lambda one: results[one].date if results[one] else "later")
            first = results[study]
            row |= {"results": study, "older": "yes" if is_older(root, since, first) else "no"}
            if first:
                row |= {"results_commit": first.hash, "results_date": first.date}
        if row["older"] == "no":
            new = why if not files or rule.file in files else ""
            row["why"] = reasons.get((rule.name, rule.file, digest)) or new
        rows.append(row)
    return rows


# --- The table and its check ---------------------------------------------------------------------


def read(root: Path) -> list[dict]:
    """The rows of the table as it is kept."""
    path = root / TABLE
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8")))) if path.exists() else []


def without_entry(rows: list[dict]) -> list[str]:
    """Every rule that is younger than results and says no reason."""
    return [
        f"{row['file']}, {row['rule']}: changed after the first results that it judges "
        f"({row['results']}, {row['results_date'][:16]}) and no reason is entered. If it has to be "
        "so: python -m tools.rules --why 'REASON'"
        for row in rows
        if row["older"] == "no" and not row["why"]
    ]


def changed(root: Path) -> list[str]:
    """Every rule that is another one than in the table; this needs no history."""
    kept = {(row["file"], row["rule"]): row["digest"] for row in read(root)}
    there = {
        (rule.file, rule.name): rule.digest((root / rule.file).read_text(encoding="utf-8"))
        for rule in rules(root)
    }
    unlike = {place for place, _ in kept.items() ^ there.items()}
    return [
        f"{file}, {name}: not as in {TABLE}; run python -m tools.rules"
        for file, name in sorted(unlike)
    ]


def contradicted(root: Path) -> list[str]:
    """Every row of the table that the history contradicts.

    A row may leave out a commit: none can name itself.
    """
    kept, found = read(root), []
    for ours, true in zip(kept, table(root, kept), strict=False):
        left_out = {key for key in ("commit", "results_commit") if not ours[key]}
        left_out |= {key.replace("commit", "date") for key in left_out}
        if wrong := [key for key in COLUMNS if key not in left_out and ours[key] != true[key]]:
            found.append(
                f"{ours['file']}, {ours['rule']}: the history has other "
                f"{', '.join(wrong)} than {TABLE}; run python -m tools.rules"
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser("tools.rules")
    parser.add_argument("--why", default="", help="for rules that are younger than results")
    parser.add_argument("files", nargs="*", help="whose rules --why is about (default: all)")
    given, root = parser.parse_args(), Path(".")
    try:
        rows = table(root, read(root), given.why, given.files)
    except NoHistory as error:
        sys.exit(f"{TABLE} can't be made: {error}")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if missing := without_entry(rows):
        sys.exit("\n".join([*missing, f"{TABLE} is left as it was"]))
    write_if_changed(root / TABLE, text.getvalue())
    younger = sum(row["older"] == "no" for row in rows)
    print(f"{TABLE}: {len(rows)} rules, {younger} of them younger than results, with reasons")


if __name__ == "__main__":
    main()
