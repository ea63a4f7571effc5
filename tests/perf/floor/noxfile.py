"""The least a nox session can do: start pytest in an environment that is there. Runs from a copy elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nox

PYTHONS = json.loads(os.environ["PERF_PYTHONS"])
ARGS = json.loads(os.environ["PERF_ARGS"])
PATHS = json.loads(os.environ.get("PERF_PATHS", "{}"))


@nox.session(venv_backend="none", allow_parallel=True)
@nox.parametrize("name", [nox.param(name, id=name) for name in PYTHONS])
def floor(session: nox.Session, name: str) -> None:
    """One session of the floor."""
    session.chdir(os.environ.get("PERF_CWD", "."))
    session.run(
        *(PYTHONS[name], "-m", "pytest", *ARGS, *PATHS.get(name, ())),
        env={"PERF_SESSION": name, "COVERAGE_FILE": str(Path(os.environ["PERF_DATA"], f"coverage-{name}"))},
        external=True,
    )
