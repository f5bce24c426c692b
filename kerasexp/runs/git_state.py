"""The state of the git repository that a folder belongs to: commit, branch, and what is not committed.

A repository may come from a stranger, and its configuration may name programs. None of them is run: monitors of files are
switched off, and where the repository has filters of its own there is no diff.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from kerasexp.errors import without_credentials

# A repository that git cannot describe within this time is recorded as far as it could.
SECONDS = 10
# Of a diff; data that someone has committed by mistake must not fill the run directory.
LARGEST_DIFF = 2**20
MOST_UNTRACKED = 100
# Switches off what git may run or ask in commands that only read.
ONLY_READ = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
# Of a diff: neither the colours nor the programs of a user's settings, and nothing in other repositories.
PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")


@dataclass(frozen=True)
class GitState:
    """A repository at one moment.

    Attributes:
        root: its folder.
        commit: that is checked out; None if there is none yet.
        branch: None if a commit without a branch is checked out.
        remote: address of `origin`, without credentials; None if there is none.
        diff: of the files that git tracks, against the commit; empty if nothing has changed, None if it is not known. One of
            more than a MiB is cut.
        untracked: files that git does not track and is not told to ignore, the first hundred.
    """

    root: str
    commit: str | None
    branch: str | None
    remote: str | None
    diff: str | None
    untracked: list[str]


def git_state(folder: Path) -> GitState | None:
    """Return the state of the repository that a folder belongs to; None outside of one, and without git."""
    root = _git(folder, "rev-parse", "--show-toplevel")
    if not root:
        return None
    commit, place = _git(folder, "rev-parse", "--verify", "HEAD") or None, Path(root)
    remote = _git(folder, "remote", "get-url", "origin")
    untracked = _git(place, "ls-files", "--others", "--exclude-standard", "-z") or ""
    return GitState(
        root,
        commit,
        _git(folder, "symbolic-ref", "--short", "HEAD") or None,
        without_credentials(remote) if remote else None,
        _diff(place) if commit else None,
        [name for name in untracked.split("\0") if name][:MOST_UNTRACKED],
    )


def _diff(root: Path) -> str | None:
    filters = _git(root, "config", "--show-scope", "--get-regexp", r"^filter\.")
    if any(line.startswith(("local", "worktree")) for line in (filters or "").splitlines()):
        return None
    diff = _git(root, "diff", *PLAIN, "HEAD")
    return None if diff is None else diff[:LARGEST_DIFF]


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what a git command prints, without the last line end; None if it fails."""
    command = ["git", "-C", str(folder), *ONLY_READ, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").removesuffix("\n")
