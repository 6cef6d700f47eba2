"""Which is older, a rule or the first results that it judges: python -m tools.rules

Writes book/rules.csv, which book/rules.md shows, from git's history. A rule is a section of the
protocol. One whose present text is younger than results needs a reason, which is entered once and
kept as long as the text stays: python -m tools.rules --why REASON
"""

import argparse
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tools.files import write_if_changed

TABLE = Path("book/rules.csv")
PAGE = "book/protocol.md"
STAGES = ("anchor", "grid", "null", "anchor-cifar10", "beyond")
# Of the second registration.
LATER = (
    "confirm", "six-seeds", "null-all", "unspoiled", "every-layer", "few-labels", "width", "wide",
)  # fmt: skip
ALL = "All of them, for the reduced runs"
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
    ALL: ("paper-small", "norms-small", "frozen-small"),  # made before anything was registered
}
NO_RULES = ("What every run records", "What is shown beside the verdicts", "Changes")
COLUMNS = (
    "rule", "judges", "digest", "commit", "date",
    "results", "results_commit", "results_date", "older", "why",
)  # fmt: skip


class NoHistory(Exception):
    """It can't be found out here what came first; the text has the cause."""


def digests(page: str) -> dict[str, str]:
    """{heading: digest of its text, on one line} of the page's rules, and of all as one."""
    _, *parts = re.split(r"^##+ (.+)$", page, flags=re.MULTILINE)
    sections = zip(parts[::2], (" ".join(text.split()) for text in parts[1::2]), strict=True)
    texts = {name: text for name, text in sections if text and name not in NO_RULES}
    texts[ALL] = str(list(texts.values()))
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}


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


class Commit(NamedTuple):
    hash: str
    date: str  # UTC


def _log(root: Path, *arguments: str) -> list[tuple[Commit, str]]:
    """Commits that changed one file, newest first, with its name there."""
    log = _git(
        root, "log", "--topo-order", "--name-only", "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
        "--format=%x00%H %cd", *arguments,
    )  # fmt: skip
    found = []
    for entry in log.split("\0")[1:]:
        first, *names = entry.split("\n")
        # No name: a merge that took the file over from one of its sides.
        found += [(Commit(*first.split(" ")), name) for name in names if name]
    return found


def versions(root: Path) -> list[tuple[Commit, dict[str, str]]]:
    """Each commit that changed the page, under older names too, newest first, with its digests."""
    found = []
    for commit, name in _log(root, "--follow", "--diff-merges=combined", "--", PAGE):
        try:
            page = _git(root, "show", f"{commit.hash}:{name}")
        except subprocess.CalledProcessError:  # deleted there
            page = ""
        found.append((commit, digests(page)))
    return found


def came_in(rule: str, digest: str, history: list[tuple[Commit, dict[str, str]]]) -> Commit | None:
    """The commit from which on the rule's text is the present one; None if it is in none yet."""
    since = None
    for commit, found in history:
        if found.get(rule) == digest:
            since = commit
        elif since:
            break
    return since


def first_results(root: Path, study: str) -> Commit | None:
    """The commit that brought a study's first results; None if there is none yet."""
    added = _log(root, "--diff-filter=A", "--", f"results/{study}/manifest.json")
    return added[-1][0] if added else None


def is_older(root: Path, rule: Commit | None, results: Commit | None) -> bool:
    """Whether the results' commit builds on the rule's, and is another one."""
    if rule is None or results is None:
        return rule is not None
    try:
        _git(root, "merge-base", "--is-ancestor", rule.hash, results.hash)
    except subprocess.CalledProcessError:
        return False
    return rule.hash != results.hash


def table(root: Path, kept: list[dict[str, str]], why: str = "") -> list[dict[str, str]]:
    """The rows by the history; reasons stay while a rule's text does, `why` is for the others."""
    ask_for_history(root)
    reasons = {(row["rule"], row["digest"]): row["why"] for row in kept}
    studies = [path.parent.name for path in sorted((root / "results").glob("*/manifest.json"))]
    results = {study: first_results(root, study) for study in studies}
    # What is in no commit yet comes last.
    dates = {study: first.date if first else "later" for study, first in results.items()}
    history, rows = versions(root), []
    for rule, digest in digests((root / PAGE).read_text(encoding="utf-8")).items():
        since = came_in(rule, digest, history)
        judges = JUDGES.get(rule, STAGES)
        row = dict.fromkeys(COLUMNS, "")
        row |= {"rule": rule, "digest": digest, "judges": " ".join(judges)}
        if since:
            row |= {"commit": since.hash, "date": since.date}
        if judged := [study for study in judges if study in results]:
            study = min(judged, key=lambda one: dates[one])
            first = results[study]
            row |= {"results": study, "older": "yes" if is_older(root, since, first) else "no"}
            if first:
                row |= {"results_commit": first.hash, "results_date": first.date}
        if row["older"] == "no":
            row["why"] = reasons.get((rule, digest)) or why
        rows.append(row)
    return rows


def read(root: Path) -> list[dict[str, str]]:
    """The rows of the table as it is kept."""
    path = root / TABLE
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8")))) if path.exists() else []


def without_entry(rows: list[dict[str, str]]) -> list[str]:
    """Every rule that is younger than results and has no reason."""
    return [
        f"{PAGE}, {row['rule']}: changed after the first results that it judges "
        f"({row['results']}, {row['results_date'][:16]}) and no reason is entered. If it has to be "
        "so: python -m tools.rules --why 'REASON'"
        for row in rows
        if row["older"] == "no" and not row["why"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser("tools.rules")
    parser.add_argument("--why", default="", help="for rules that are younger than results")
    given, root = parser.parse_args(), Path(".")
    try:
        rows = table(root, read(root), given.why)
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
