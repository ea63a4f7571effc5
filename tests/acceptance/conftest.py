"""Owns running nox as a person does: in this checkout, with a clean environment, its output kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command did: its exit code, all it printed, and the folder of its run, if it made one."""

    code: int
    output: str
    folder: Path | None

    def record(self, session: str) -> dict[str, Any]:
        """The record that a session left."""
        assert self.folder is not None
        found: dict[str, Any] = json.loads((self.folder / "records" / f"{session}.json").read_text(encoding="utf-8"))
        return found


Nox = Callable[..., Ran]


def clean_environment() -> dict[str, str]:
    """The environment without what this run of pytest or nox put there; the embedded provider, so as not to depend on
    an engine."""
    dropped = ("PGMATRIX_", "NOX", "PYTEST_", "COVERAGE_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {"PGMATRIX_PROVIDER": "embedded"}


@pytest.fixture(scope="session")
def nox() -> Nox:
    """Runs `nox ARGUMENTS` in the checkout; further keywords are environment variables."""

    def run(*arguments: str, **variables: str) -> Ran:
        runs = ROOT / ".pgmatrix" / "runs"
        before = set(runs.glob("*"))
        found = subprocess.run(
            [sys.executable, "-m", "nox", *arguments],
            cwd=ROOT,
            env=clean_environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        made = sorted(set(runs.glob("*")) - before)
        return Ran(code=found.returncode, output=found.stdout, folder=made[-1] if made else None)

    return run
