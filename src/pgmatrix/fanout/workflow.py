"""Owns the workflow that fans a run out over GitHub's jobs: plan, one job for each cell, merge and gate.

The matrix itself is not in it: its first job reads the table. Writes nothing over what is there.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from pgmatrix import __version__
from pgmatrix.errors import ConfigError
from pgmatrix.fanout.starters import starter, write_new

PLACE = Path(".github", "workflows", "matrix.yml")
REQUIREMENT = f"pgmatrix=={__version__}"


def workflow(install: str = REQUIREMENT, *, python: str = "3.12") -> str:
    """The workflow's text. `install` is what pip is given to get pgmatrix (`--editable .`). Raises ConfigError."""
    try:
        words = shlex.split(install)
    except ValueError as error:
        raise ConfigError(
            f"{install!r} is no argument of pip: {error}", do_next=f"write a requirement, such as {REQUIREMENT}"
        ) from error
    quoted = shlex.join(words)
    command = "python -m pgmatrix ci" + ("" if install == REQUIREMENT else f" --install {shlex.quote(quoted)}")
    return starter("matrix.yml", command=command, install=quoted, python=python)


def write_workflow(root: Path, text: str) -> bool:
    """Write the workflow to its place in the project; False if it stands there word for word. Raises ConfigError."""
    path = root / PLACE
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    if not write_new(path, text):
        raise ConfigError(f"{path} is there and says something else", do_next="compare with what `ci` prints")
    return True
