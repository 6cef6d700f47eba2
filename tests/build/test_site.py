"""Launch buttons with the right address, or none; pages that follow the chapters."""

import subprocess
from types import SimpleNamespace

import pytest

from companion.pages.extension import site


@pytest.fixture(autouse=True)
def not_hosted(monkeypatch):
    for name in ("SERVER_URL", "REPOSITORY", "REF_NAME", "BASE_REF"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("https://github.com/owner/name.git", "https://github.com/owner/name"),
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        ("ssh://git@github.com:22/owner/name.git", "https://github.com/owner/name"),
        ("https://user:secret@github.com/owner/na.me.git", "https://github.com/owner/na.me"),
        ("https://git.example.org/owner/name.git", ""),
        ("https://github.com.example.org/owner/name", ""),
        ("https://example.org/github.com/owner/name", ""),
        ("/srv/git/name.git", ""),
        ("file:///srv/git/name.git", ""),
    ],
)
def test_remote(tmp_path, remote, address):
    assert site.repository(clone(tmp_path, remote)) == (address, "trunk")


def clone(folder, remote=None):
    """A repository with a book in it."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "trunk", folder], check=True)
    (folder / "_toc.yml").touch()
    if remote:
        subprocess.run(["git", "-C", folder, "remote", "add", "origin", remote], check=True)
    return folder


def options_after(folder):
    launch = {"binderhub_url": "https://mybinder.org"}
    config = SimpleNamespace(html_theme_options={"repository_url": "", "launch_buttons": launch})
    site.set_repository(SimpleNamespace(srcdir=folder), config)
    return config.html_theme_options


def test_buttons_of_the_staged_book(tmp_path):
    stage = clone(tmp_path, "git@github.com:owner/name.git") / "_build" / "stage"
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
    assert options_after(clone(tmp_path, remote)) == {}


def test_no_buttons_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert options_after(tmp_path) == {}


def test_no_buttons_inside_another_repository(tmp_path):
    clone(tmp_path, "https://github.com/somebody/else.git")
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
