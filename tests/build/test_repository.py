"""Launch buttons: the right address, or none."""

import importlib.util
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

SOURCE = Path(__file__).parents[2] / "book" / "_ext" / "book_repository.py"
specification = importlib.util.spec_from_file_location("book_repository", SOURCE)
book_repository = importlib.util.module_from_spec(specification)
specification.loader.exec_module(book_repository)

HOSTED = (
    "GITHUB_SERVER_URL",
    "GITHUB_REPOSITORY",
    "GITHUB_REF_NAME",
    "GITHUB_REF_TYPE",
    "GITHUB_BASE_REF",
)


@pytest.fixture(autouse=True)
def not_hosted(monkeypatch):
    for name in HOSTED:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("https://github.com/owner/name.git", "https://github.com/owner/name"),
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        ("ssh://git@github.com:22/owner/name.git", "https://github.com/owner/name"),
        ("https://user:secret@github.com/owner/na.me.git", "https://github.com/owner/na.me"),
        ("git@gitlab.com:owner/name.git", "https://gitlab.com/owner/name"),
        ("https://git.example.org/owner/name.git", ""),
        ("https://github.com.example.org/owner/name", ""),
        ("/srv/git/name.git", ""),
        ("../name", ""),
        ("file:///srv/git/name.git", ""),
        ("", ""),
    ],
)
def test_web_address(remote, address):
    assert book_repository.web_address(remote) == address


def clone(folder, remote=None):
    """A repository with a book in it."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "trunk", folder], check=True)
    (folder / "_toc.yml").touch()
    if remote:
        subprocess.run(["git", "-C", folder, "remote", "add", "origin", remote], check=True)
    return folder


def options_after(folder):
    launch = {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
    }
    config = SimpleNamespace(html_theme_options={"repository_url": "", "launch_buttons": launch})
    book_repository.set_repository(SimpleNamespace(srcdir=folder), config)
    return config.html_theme_options


def test_remote(tmp_path):
    stage = clone(tmp_path, "git@github.com:owner/name.git") / "_build" / "stage"
    stage.mkdir(parents=True)
    options = options_after(stage)
    assert options["repository_url"] == "https://github.com/owner/name"
    assert options["repository_branch"] == "trunk"
    assert options["launch_buttons"]["colab_url"]


def test_gitlab_has_no_colab(tmp_path):
    buttons = options_after(clone(tmp_path, "https://gitlab.com/owner/name.git"))["launch_buttons"]
    assert buttons["binderhub_url"] and not buttons["colab_url"]


def test_hosted_build(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/hosted")
    monkeypatch.setenv("GITHUB_REF_TYPE", "branch")
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    assert book_repository.repository(tmp_path) == ("https://github.com/owner/hosted", "main")
    monkeypatch.setenv("GITHUB_REF_NAME", "5/merge")
    monkeypatch.setenv("GITHUB_BASE_REF", "trunk")
    assert book_repository.repository(tmp_path) == ("https://github.com/owner/hosted", "trunk")


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
