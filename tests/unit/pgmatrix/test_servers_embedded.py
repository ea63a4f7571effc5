"""The embedded provider's decisions, and what it says when a program of PostgreSQL fails."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgmatrix.errors import Attempt, ServerStartFailed
from pgmatrix.matrix import Cell
from pgmatrix.servers import binaries, embedded
from pgmatrix.servers.account import Account
from pgmatrix.servers.binaries import Installation, Search
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from tests.unit.pgmatrix.builders import CELL, a_spec

OURSELVES = Account(uid=1000, gid=1000, switch=False)


def fails(monkeypatch: pytest.MonkeyPatch, stderr: str, code: int = 1) -> list[list[str]]:
    """Let every program end with that; what was run."""
    ran: list[list[str]] = []

    def run(argv: list[str], **options: Any) -> SimpleNamespace:
        ran.append(argv)
        return SimpleNamespace(returncode=code, stderr=stderr)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(Account, "has_name", True)
    return ran


def test_it_serves_what_is_installed_or_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A major that was found is served; of another all that was refused is said; each is looked for once."""
    asked: list[int] = []

    def search(major: int, extensions: tuple[str, ...]) -> Search:
        asked.append(major)
        found = Installation(major=16, bin=tmp_path, origin="here", identity="pg16.9-x") if major == 16 else None
        refused = (Attempt(what="wheels", why="none"), Attempt(what="disk", why="nothing"))
        return Search(installed=found, wheel=None, refused=refused)

    monkeypatch.setattr(binaries, "search", search)
    monkeypatch.setattr(embedded, "find_account", lambda wanted: OURSELVES)
    provider = EmbeddedProvider(cache=tmp_path, guard=Guard())

    answers = [provider.refusal(CELL), provider.refusal(Cell.parse("pg17-asyncpg")), provider.refusal(CELL)]

    assert answers == [None, "wheels: none; disk: nothing", None]
    assert asked == [16, 17]
    assert provider.build(CELL) == "pg16.9-x-uid1000"
    assert not provider.has("anything")


def test_settings_are_handed_over_as_words() -> None:
    """Each parameter is a word of the command line, and what must be so is not overruled by the order."""
    spec = a_spec(settings={"fsync": "off", "port": "1", "application_name": "a b"})

    assert embedded._options(spec, {"port": "5432"}) == [
        *("-c", "fsync=off", "-c", "port=5432", "-c", "application_name=a b"),
    ]


def test_the_server_gets_no_more_environment_than_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's environment changes how the server speaks or counts time."""
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("PGDATA", "/somewhere")
    monkeypatch.setenv("TZ", "Europe/Prague")
    monkeypatch.delenv("TZDIR", raising=False)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)

    assert embedded._environment() == {"PATH": "/bin", "LC_ALL": "C", "TZ": "UTC"}


def test_an_initdb_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When initdb fails the error has its last words."""
    fails(monkeypatch, "initdb: error: could not look up effective user ID\n\nhint\n")
    installation = Installation(major=16, bin=Path("/pg/bin"), origin="here", identity="x")

    with pytest.raises(ServerStartFailed) as error:
        embedded._initdb(tmp_path, installation, ["--no-sync"], OURSELVES)

    assert str(error.value) == (
        "initdb of PostgreSQL 16 failed\n"
        "  tried /pg/bin/initdb: initdb: error: could not look up effective user ID\n"
        "  tried /pg/bin/initdb: hint\n"
        "  do    run as a user that may run these programs and write to the cache, or set PGMATRIX_PROVIDER"
    )


def test_a_copy_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the copy of a cluster fails the error has what cp said."""
    ran = fails(monkeypatch, "cp: cannot open 'x': Permission denied\n")

    with pytest.raises(ServerStartFailed) as error:
        embedded._copy(tmp_path / "a", tmp_path / "b", OURSELVES)

    assert error.value.wanted == f"cannot copy the cluster {tmp_path / 'a'}"
    assert [str(one) for one in error.value.tried] == [
        f"cp to {tmp_path / 'b'}: cp: cannot open 'x': Permission denied"
    ]
    assert ran == [["cp", "-R", "-p", str(tmp_path / "a"), str(tmp_path / "b")]]


def test_a_copy_that_fills_the_disk_is_known_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told as such, so that the advice can be about room."""
    fails(monkeypatch, "cp: error writing 'x': No space left on device\n")

    with pytest.raises(OSError) as error:
        embedded._copy(tmp_path / "a", tmp_path / "b", OURSELVES)

    assert error.value.errno == errno.ENOSPC
