"""Readiness: when the driver has run a statement; a server that died or stays silent is an error with its log."""

from __future__ import annotations

import pytest

from pgmatrix.clients import ClientError
from pgmatrix.errors import ServerStartFailed
from pgmatrix.servers import readiness
from pgmatrix.servers.protocol import Server
from pgmatrix.servers.readiness import wait_until_ready
from tests.unit.pgmatrix.builders import FakeClient, a_server


def alive() -> str | None:
    """A server that runs."""
    return None


def log(lines: int) -> list[str]:
    """A log of two lines."""
    return ["one", "two"][-lines:]


def test_a_server_is_ready_when_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused connections and failed statements are tried again until `select 1` comes back; then all is closed."""
    refused = FakeClient()
    refused.failure = ClientError("starting up", sqlstate="57P03")
    answers: list[object] = [ClientError("refused"), refused, FakeClient()]
    clients = iter(answers)

    def connect(server: Server, timeout: float) -> FakeClient:
        found = next(clients)
        if isinstance(found, ClientError):
            raise found
        assert isinstance(found, FakeClient)
        return found

    monkeypatch.setattr(readiness, "connect", connect)
    monkeypatch.setattr(readiness, "PAUSE", 0)

    seconds = wait_until_ready(a_server(), timeout=5, died=alive, log=log)

    assert 0 <= seconds < 5
    assert refused.closed
    assert isinstance(answers[2], FakeClient)
    assert (answers[2].statements, answers[2].closed) == (["select 1"], True)


def test_a_server_that_died_is_not_waited_for() -> None:
    """A server that has ended is an error at once, with why it ended and its log."""
    with pytest.raises(ServerStartFailed) as error:
        wait_until_ready(a_server(), timeout=60, died=lambda: "it ended with exit code 1", log=log)

    assert str(error.value) == (
        "PostgreSQL 16 did not become ready\n"
        "  tried container server: it ended with exit code 1\n"
        "  tried log: one\n"
        "  tried log: two\n"
        "  do    read its log above; raise start-timeout if the machine is only slow"
    )


def test_a_server_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time-out the error has the time and the last answer."""

    def refuse(server: Server, timeout: float) -> FakeClient:
        raise ClientError("connection refused")

    monkeypatch.setattr(readiness, "connect", refuse)
    with pytest.raises(ServerStartFailed) as error:
        wait_until_ready(a_server(), timeout=0.02, died=alive, log=log)

    assert str(error.value.tried[0]) == "container server: not ready within 0.02 s: connection refused"
