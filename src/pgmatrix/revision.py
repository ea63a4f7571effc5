"""Owns which sources a run is of: the commit, and whether what lies there differs from it.

Asks git, changes nothing.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_NOT_OURS = ":(exclude).pgmatrix"  # what runs leave is no source, in whatever state a project's .gitignore is


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The sources' commit, empty where there is no git or no commit; `dirty`: tracked or new files differ from it."""

    commit: str = ""
    dirty: bool = False


def revision(root: Path) -> Revision:
    """What lies in `root`."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Revision()
    return Revision(commit=commit, dirty=_git(root, "status", "--porcelain", "--", ".", _NOT_OURS) != "")


def _git(root: Path, *words: str) -> str | None:
    command = ["git", "--no-optional-locks", *words]
    try:
        ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()
