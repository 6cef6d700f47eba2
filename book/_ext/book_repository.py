"""Point the launch buttons at the repository that the build runs in, or leave them out.

The address is that of the hosted build (GITHUB_SERVER_URL, GITHUB_REPOSITORY) or of the git remote
`origin`. Where there is neither, or it is a folder or a host that Binder cannot read, there are no
buttons: an invented address would send readers to somebody else's code.
"""

import os
import re
import subprocess
from pathlib import Path

HOSTS = ("github.com", "gitlab.com")
# https://host/owner/name, ssh://git@host/owner/name, git@host:owner/name; a user or token is
# dropped.
ADDRESS = re.compile(
    r"^(?:(?:https?|ssh|git)://)?(?:[^@/]+@)?(?P<host>[\w.-]+)(?::\d+)?[/:]"
    r"(?P<path>[\w.-]+/[\w.-]+?)(?:\.git)?/?$"
)


def git(folder, *arguments):
    """Output of a git command, empty where git or a repository is missing."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def web_address(remote):
    """https://host/owner/name of a remote on a known host, else an empty string."""
    match = ADDRESS.match(remote.strip())
    if not match or match["host"].lower() not in HOSTS:
        return ""
    return f"https://{match['host'].lower()}/{match['path']}"


def repository(folder):
    """(address, branch) of the repository that `folder` belongs to; the address may be empty."""
    name = os.environ.get("GITHUB_REPOSITORY")
    if name:
        # A pull request builds from a merge that no reader can open: link to what it goes into.
        on_branch = os.environ.get("GITHUB_REF_TYPE") == "branch" and not os.environ.get(
            "GITHUB_BASE_REF"
        )
        branch = (
            os.environ.get("GITHUB_REF_NAME") if on_branch else os.environ.get("GITHUB_BASE_REF")
        )
        return web_address(
            f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
        ), branch or "main"
    top = git(folder, "rev-parse", "--show-toplevel")
    if not top or not (Path(top) / "_toc.yml").is_file():  # unpacked inside some other repository
        return "", ""
    branch = git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix(
        "origin/"
    )
    branch = branch or git(folder, "branch", "--show-current") or "main"
    return web_address(git(folder, "remote", "get-url", "origin")), branch


def set_repository(app, config):
    options = config.html_theme_options
    address, branch = repository(app.srcdir)
    if not address:
        for key in ("repository_url", "repository_branch", "launch_buttons"):
            options.pop(key, None)
        return
    options.update(
        repository_url=address,
        repository_branch=branch,
        path_to_docs="",
        use_repository_button=True,
    )
    if "github.com" not in address:  # Colab opens notebooks from GitHub only
        options["launch_buttons"] = {**options.get("launch_buttons", {}), "colab_url": ""}


def setup(app):
    app.connect("config-inited", set_repository)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
