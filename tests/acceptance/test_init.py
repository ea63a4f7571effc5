"""A project that has never heard of pgmatrix: `init`, then pytest and nox on real servers, green as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT, clean_environment


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command there as a person does."""
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("drivers", ["psycopg", "asyncpg", "asyncpg,psycopg"])
def test_a_fresh_project_is_green(tmp_path: Path, drivers: str) -> None:
    """After `init` the example passes on a real server, on every driver it was asked for."""
    begun = run(tmp_path, sys.executable, "-m", "pgmatrix", "init", "--drivers", drivers)
    assert begun.returncode == 0, begun.stdout

    for driver in drivers.split(","):
        ran = run(tmp_path, sys.executable, "-m", "pytest", "tests/matrix", "--pg-cell", f"pg16-{driver}")

        assert ran.returncode == 0, ran.stdout
        assert f"pgmatrix: pg16-{driver}: PostgreSQL 16." in ran.stdout
        assert "3 passed" in ran.stdout


@pytest.mark.slow
def test_its_noxfile_runs_the_matrix(tmp_path: Path) -> None:
    """`nox` in a fresh project of one driver runs each cell in an environment with that driver, and merges coverage."""
    wheel = run(ROOT, sys.executable, *"-m pip wheel -q --no-deps . --wheel-dir".split(), str(tmp_path / "wheels"))
    assert wheel.returncode == 0, wheel.stdout
    project = tmp_path / "shop"
    project.mkdir()
    run(project, sys.executable, *"-m pgmatrix init --drivers psycopg".split())

    ran = run(project, sys.executable, "-m", "nox", PIP_FIND_LINKS=str(tmp_path / "wheels"))

    assert ran.returncode == 0, ran.stdout
    assert "2 sessions: 1 layer (example) on 2 cells, " in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith("2 of 2 sessions green, 6 tests passed, coverage ")
    (folder,) = (project / ".pgmatrix" / "runs").iterdir()
    versions = [json.loads(path.read_text(encoding="utf-8"))["facts"] for path in sorted(folder.glob("records/*"))]
    assert [one["server_version_num"] // 10000 for one in versions] == [15, 16]
