"""Log lines of a test: those of its databases, since it began, readable; or why there are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pgmatrix.clients import ClientError
from pgmatrix.config import ProviderName
from pgmatrix.plugin import logs
from pgmatrix.plugin.logs import log_lines, select_lines
from tests.unit.pgmatrix.builders import FakeClient, a_server

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()


def entry(**changes: Any) -> str:
    """A line of the server's log."""
    values = {
        "timestamp": "2026-11-23 12:00:00.500 UTC",
        "pid": 41,
        "user": "app",
        "dbname": "mine",
        "error_severity": "ERROR",
        "state_code": "23505",
        "message": "duplicate key",
    }
    return json.dumps({**values, **changes})


def test_an_entry_is_one_readable_line() -> None:
    """A line has time, process, user, severity, SQLSTATE and message; what else was logged is below it."""
    text = entry(detail="Key (id)=(1) exists.", statement="insert into x", context="", hint=None)

    assert select_lines(text, ["mine"], NOON) == [
        "12:00:00.500 [41] app: ERROR 23505 duplicate key \n"
        "    detail: Key (id)=(1) exists. \n"
        "    statement: insert into x"
    ]


def test_other_databases_are_left_out() -> None:
    """Entries of databases the test did not use are not its own, nor are those without one."""
    text = "\n".join([entry(message="a"), entry(dbname="other"), entry(dbname=None), entry(dbname="too", message="b")])

    found = select_lines(text, {"mine", "too"}, NOON)

    assert [line[-1] for line in found] == ["a", "b"]


@pytest.mark.parametrize(("begin", "count"), [(0.0, 1), (0.5, 1), (0.5009, 1), (0.502, 0)])
def test_older_entries_are_left_out(begin: float, count: int) -> None:
    """Entries from before the test's begin are not its own; the log counts milliseconds, so one is granted."""
    assert len(select_lines(entry(), ["mine"], NOON + begin)) == count


@pytest.mark.parametrize("line", ["", "{", "[1]", "null", '"x"', entry(timestamp="yesterday"), "half a line\x00"])
def test_what_cannot_be_read_is_left_out(line: str) -> None:
    """A line cut in half, or of another form, or without a time, harms no other."""
    found = select_lines(f"{line}\n{entry()}\n", ["mine"], NOON)

    assert len(found) == 1


def test_the_log_of_an_external_server_is_not_read() -> None:
    """On a server of somebody else the log is left alone."""
    assert log_lines(a_server(provider=ProviderName.EXTERNAL), ["mine"], NOON) == [
        "the log of an external server is not ours to read"
    ]


def test_the_log_is_read_by_sql_also_from_the_middle_of_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tail is read as bytes: where it begins within a character, the whole lines after it are still read."""
    tail = "é".encode()[1:] + b' rest of a line"}\n' + entry(message="née").encode()
    client = FakeClient({"pg_read_binary_file": [(tail,)]})
    monkeypatch.setattr(logs, "connect", lambda server: client)

    found = log_lines(a_server(), ["mine"], NOON)

    assert [line.split()[-1] for line in found] == ["née"]
    assert client.closed


def test_a_test_without_entries_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server logged nothing of the test, the section says so."""
    monkeypatch.setattr(logs, "connect", lambda server: FakeClient({"pg_read_binary_file": [(b"",)]}))

    assert log_lines(a_server(), ["mine"], NOON) == ["nothing"]


def test_a_log_that_cannot_be_read_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses its log, or does not answer, costs the test's report no more than a line."""
    refusing = FakeClient()
    refusing.failure = ClientError("permission denied", sqlstate="42501")
    monkeypatch.setattr(logs, "connect", lambda server: refusing)
    refused = log_lines(a_server(), ["mine"], NOON)

    def gone(server: object) -> FakeClient:
        raise ClientError("connection refused")

    monkeypatch.setattr(logs, "connect", gone)
    silent = log_lines(a_server(), ["mine"], NOON)

    assert refused == ["the log cannot be read: permission denied"]
    assert refusing.closed
    assert silent == ["the server does not answer: connection refused"]
