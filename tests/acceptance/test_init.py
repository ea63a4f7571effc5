"""A project that has never heard of pgmatrix: `init`, then pytest and nox on real servers, green as it stands."""

from __future__ import annotations

import json
import os
import re
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
def test_its_noxfile_runs_the_matrix_and_its_gate_says_ship(tmp_path: Path) -> None:
    """With pgmatrix and nox alone installed, `init`, `nox` and `nox -s gate` lead an empty folder to a verdict."""
    wheels, python = tmp_path / "wheels", tmp_path / "venv" / "bin" / "python"
    project = tmp_path / "shop"
    project.mkdir()
    install = ["-m", "pip", "install", "-q", "pgmatrix[psycopg,embedded]", "nox"]
    find = {"PIP_FIND_LINKS": str(wheels), "PATH": f"{python.parent}:{os.environ['PATH']}"}
    who = ["-c", "user.name=pgmatrix", "-c", "user.email=pgmatrix@example.org"]

    for folder, command in (
        (ROOT, [sys.executable, *"-m pip wheel -q --no-deps . --wheel-dir".split(), str(wheels)]),
        (tmp_path, [sys.executable, "-m", "venv", "venv"]),
        (tmp_path, [str(python), *install]),
        (project, ["python", *"-m pgmatrix init --drivers psycopg".split()]),
        (project, ["git", "init", "-q"]),
        (project, ["git", "add", "."]),
        (project, ["git", *who, "commit", "-q", "-m", "first"]),
    ):
        made = run(folder, *command, **find)
        assert made.returncode == 0, made.stdout
    ran = run(project, "nox", **find)
    judged = run(project, "nox", "-s", "gate", **find)

    assert ran.returncode == 0, ran.stdout
    assert "2 sessions: 1 layer (example) on 2 cells, " in ran.stdout
    assert re.search(r"^2 of 2  pg1[56]-psycopg-example  ✓ 3 passed, ", ran.stdout, re.MULTILINE)
    assert ran.stdout.splitlines()[-1] == "ship: 2 of 2 sessions green, 6 tests passed"
    assert judged.returncode == 0, judged.stdout
    assert "ship: 2 of 2 sessions green, 6 tests passed" in judged.stdout
    (folder,) = (project / ".pgmatrix" / "runs").iterdir()
    versions = [json.loads(path.read_text(encoding="utf-8"))["facts"] for path in sorted(folder.glob("records/*"))]
    assert [one["server_version_num"] // 10000 for one in versions] == [15, 16]
