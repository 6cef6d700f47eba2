"""Launch buttons with the right address, or none; pages that follow the chapters."""

import subprocess
from types import SimpleNamespace

import pytest

from companion.pages.extension import site
from tests.sphinx_builds import sphinx_build


@pytest.fixture(autouse=True)
def not_hosted(monkeypatch):
    for name in ("SERVER_URL", "REPOSITORY", "REF_NAME", "BASE_REF"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)


HERE = [
    "https://github.com/owner/na.me",
    "https://github.com/owner/na.me.git",
    "HTTPS://GitHub.com/owner/na.me.git/",
    "https://user:secret@github.com/owner/na.me.git",
    "http://github.com/owner/na.me.git",
    "https://www.github.com:443/owner/na.me/",
    "git://github.com/owner/na.me.git",
    "git@github.com:owner/na.me.git",
    "git@GITHUB.com:/owner/na.me",
    "github.com:owner/na.me",
    "ssh://git@github.com:22/owner/na.me.git",
    "ssh://git@ssh.github.com:443/owner/na.me.git",
    "git+ssh://git@github.com/owner/na.me",
]
ELSEWHERE = [
    "https://git.example.org/owner/name.git",
    "https://github.com.example.org/owner/name",
    "https://notgithub.com/owner/name",
    "https://gist.github.com/owner/name",
    "https://example.org/github.com/owner/name",
    "https://github.com@example.org/owner/name",
    "https://github.com:secret@example.org/owner/name",
    "git@example.org:github.com/owner/name.git",
    "example.org:git@github.com:owner/name.git",
    "git@github.com:22/owner/name.git",
    "https://github.com/owner",
    "https://github.com/owner/..",
    "https://github.com/owner/name/tree/main",
    "https://github.com/owner/name?tab=readme",
    "github.com/owner/name",
    "/srv/git/name.git",
    "file:///srv/git/name.git",
    "file://github.com/owner/name.git",
]


@pytest.mark.parametrize(
    ("remote", "address"),
    [(one, "https://github.com/owner/na.me") for one in HERE] + [(one, "") for one in ELSEWHERE],
)
def test_remote(tmp_path, remote, address):
    assert site.repository(clone(tmp_path, remote))[0] == address


def git(folder, *arguments):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True)


def clone(folder, remote=None, pushed=()):
    """A repository with a book in it, on the branch `trunk`; its remote has those `pushed`."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "trunk", folder], check=True)
    (folder / "_toc.yml").touch()
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "A book")
    if remote:
        git(folder, "remote", "add", "origin", remote)
    for branch in pushed:
        git(folder, "update-ref", f"refs/remotes/origin/{branch}", "HEAD")
    return folder


NAME = "git@github.com:owner/name.git"
HEAD = "symbolic-ref refs/remotes/origin/HEAD"


@pytest.mark.parametrize(
    ("pushed", "commands", "branch"),
    [
        (["trunk", "main"], [], "trunk"),
        (["trunk", "b/c"], [f"{HEAD} refs/remotes/origin/b/c"], "b/c"),
        # The remote has another name for it since.
        (["trunk"], [f"{HEAD} refs/remotes/origin/gone"], "trunk"),
        (["trunk"], ["switch --quiet --create mine"], ""),
        (["trunk"], ["switch --quiet --create mine --track origin/trunk"], "trunk"),
        (["main"], [], "main"),
        (["main"], ["switch --quiet --detach"], "main"),
        (["other"], [], ""),
        ([], [], ""),
    ],
)  # fmt: skip
def test_branch_is_one_that_the_remote_has(tmp_path, pushed, commands, branch):
    clone(tmp_path, NAME, pushed)
    for command in commands:
        git(tmp_path, *command.split())
    assert site.repository(tmp_path) == ("https://github.com/owner/name", branch)
    assert options_after(tmp_path).get("repository_branch", "") == branch


def options_after(folder):
    launch = {"binderhub_url": "https://mybinder.org"}
    config = SimpleNamespace(html_theme_options={"repository_url": "", "launch_buttons": launch})
    site.set_repository(SimpleNamespace(srcdir=folder), config)
    return config.html_theme_options


def test_buttons_of_the_staged_book(tmp_path):
    stage = clone(tmp_path, NAME, ["trunk"]) / "_build" / "stage"
    stage.mkdir(parents=True)
    options = options_after(stage)
    assert options["repository_url"] == "https://github.com/owner/name"
    assert options["repository_branch"] == "trunk" and options["launch_buttons"]


def test_hosted_build(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/hosted")
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    assert site.repository(tmp_path) == ("https://github.com/owner/hosted", "main")
    monkeypatch.setenv("GITHUB_REF_NAME", "5/merge")
    monkeypatch.setenv("GITHUB_BASE_REF", "trunk")
    assert site.repository(tmp_path) == ("https://github.com/owner/hosted", "trunk")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org")
    assert site.repository(tmp_path)[0] == ""


@pytest.mark.parametrize("remote", [None, "/srv/git/name.git"])
def test_no_buttons_without_an_address(tmp_path, remote):
    assert options_after(clone(tmp_path, remote, ["trunk"])) == {}


def test_no_buttons_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert options_after(tmp_path) == {}


def test_no_buttons_inside_another_repository(tmp_path):
    clone(tmp_path, "https://github.com/somebody/else.git", ["trunk"])
    (tmp_path / "_toc.yml").unlink()
    (tmp_path / "unpacked").mkdir()
    assert options_after(tmp_path / "unpacked") == {}


# --- Pages with values of chapters ---------------------------------------------------------------

PAGES = {
    "role": "{glue:text}`../notebooks/03-x.ipynb::n:d` images",
    "directive": "```{glue:} picture\n:doc: ../notebooks/03-x.ipynb\n```\n",
    "verdict": "Claim 18: {verdict}`18`",
    "cards": "```{claims-cards} beyond\n```\n",
    "link": "[chapter 3](../notebooks/03-x.ipynb) and {doc}`../notebooks/03-x`",
}


def test_pages_with_glued_values_follow_the_chapters(tmp_path):
    for name, text in PAGES.items():
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    env = SimpleNamespace(found_docs=list(PAGES), doc2path=lambda name: tmp_path / f"{name}.md")
    found = site.dependants(None, env, set(), {"notebooks/03-x"}, set())
    assert found == ["role", "directive", "verdict", "cards"]
    assert site.dependants(None, env, set(), {"book/index"}, set()) == []


# --- Names of link targets ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("(same)=\nA paragraph.", "same"),
        ("```{list-table}\n:name: same\n* - a cell\n```", "same"),
        ("```{code-block} python\n:name: Same Code\nn = 1\n```", "same code"),
        ("## A heading\n\nA footnote.[^1]\n\n[^1]: It is of the page alone.", ""),
    ],
)
def test_no_two_pages_have_one_name_of_a_target(tmp_path, text, name):
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'companion.pages.extension.site']\nhtml_theme = 'basic'\n"
    )
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\na\nb\n```\n")
    for page in "ab":
        (tmp_path / f"{page}.md").write_text(f"# Page {page}\n\n{text}\n")
    done = sphinx_build(tmp_path, builder="dummy")
    if name:
        assert done.returncode and f"the link target {name!r} is on a too" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
