"""What the tests of the plugin share: a small project, and pytest run on it in a process of its own.

Every such run stays on one ground (data and cache of its own), so that what it leaves can be seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers.ground import CELL, Ground, ground
from tests.servers.project import write_project

TESTS = """\
import pytest
from pgmatrix.clients import connect


def ask(database, sql, role=None):
    client = connect(database.server, database=database.name)
    try:
        return client.execute(sql)
    finally:
        client.close()


def note(request, database):
    worker = getattr(request.config, "workerinput", {"workerid": "main"})["workerid"]
    started = ask(database, "select pg_postmaster_start_time()::text")[0][0]
    with open("seen", "a") as file:
        file.write(f"{worker} {started.replace(' ', 'T')} {database.name}\\n")


def test_clone(request, pg_clone):
    ask(pg_clone, "insert into thing values (4, 'four')")
    note(request, pg_clone)

    assert ask(pg_clone, "select count(*) from thing") == [(4,)]


def test_another_clone(request, pg_clone):
    note(request, pg_clone)

    assert ask(pg_clone, "select count(*) from thing") == [(3,)]


def test_shared(request, pg_database, pg_clone):
    note(request, pg_database)

    assert pg_database.name != pg_clone.name
    assert ask(pg_database, "select count(*) from thing") == [(3,)]


def test_empty(request, pg_empty, pg_server, pg_cell):
    note(request, pg_empty)

    assert ask(pg_empty, "select count(*) from pg_class where relname = 'thing'") == [(0,)]
    assert ask(pg_empty, "show server_version_num")[0][0].startswith(str(pg_cell.major))
    assert pg_server.cell == pg_cell
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nest:
    """A project in a temporary folder in which pytest is run. `ground` is where its servers are."""

    pytester: pytest.Pytester
    ground: Ground
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.pytester.path

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        (self.path / name).write_text(text, encoding="utf-8")

    def run(self, *args: str, xdist: bool = True) -> pytest.RunResult:
        """Run pytest to its end."""
        return self.pytester.runpytest_subprocess(*self._plugins(xdist), *args, timeout=60)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start pytest and return at once, in a process group of its own."""
        process: subprocess.Popen[bytes] = self.pytester.popen(
            [sys.executable, "-m", "pytest", *self._plugins(True), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    @staticmethod
    def _plugins(xdist: bool) -> tuple[str, ...]:
        return ("-p", "pgmatrix.plugin", *(("-p", "xdist.plugin") if xdist else ()))

    def seen(self) -> list[list[str]]:
        """What the tests noted: worker, the server's start, database."""
        path = self.path / "seen"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        path.unlink(missing_ok=True)
        return [line.split() for line in lines]

    def record(self, session: str) -> dict[str, Any]:
        """The record of `session`."""
        path = self.path / "run" / "records" / f"{session}.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def has_nothing_left(self, seconds: float = 5.0) -> bool:
        """Whether nothing is left on the ground, or will be within `seconds`."""
        return self.ground.has_nothing_left(seconds)


@pytest.fixture(scope="session")
def nest_ground() -> Iterator[Ground]:
    """One ground for all of these tests: the template is built once for each cell."""
    with ground() as made:
        yield made


@pytest.fixture
def nest(pytester: pytest.Pytester, nest_ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nest]:
    """A project with one layer of four tests."""
    for name in [name for name in os.environ if name.startswith(("PGMATRIX_", "PYTEST_", "COV_", "COVERAGE_"))]:
        if name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    for name, value in nest_ground.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PGMATRIX_CELL", str(CELL))
    write_project(pytester.path)
    found = Nest(pytester=pytester, ground=nest_ground)
    found.write("test_layer.py", TESTS)
    yield found
    for process in found.started:
        process.kill()
        process.wait()
    assert found.has_nothing_left(), nest_ground.leftovers()


@pytest.fixture
def recorded(nest: Nest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a session whose record will be written below `run`."""
    session = f"{CELL}-layer"
    monkeypatch.setenv("PGMATRIX_RUN", "today")
    monkeypatch.setenv("PGMATRIX_RUN_DIR", str(nest.path / "run"))
    monkeypatch.setenv("PGMATRIX_SESSION", session)
    return session
