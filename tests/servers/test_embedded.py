"""The embedded provider: real servers of every major it has, through both drivers, gone when they are stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pgmatrix.clients import connect
from pgmatrix.config import ProviderName
from pgmatrix.errors import ServerStartFailed
from pgmatrix.matrix import Cell, Driver
from pgmatrix.servers import identity
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.protocol import Lease
from pgmatrix.servers.tuning import differences
from pgmatrix.servers.wheels import wheel_build
from tests.servers.ground import CELL, MAJORS, processes, spec_for, until


@pytest.mark.parametrize("major", MAJORS)
def test_a_server_is_gone_when_it_is_stopped(embedded: EmbeddedProvider, major: int) -> None:
    """A started server answers `select 1`; stopped, twice even, it leaves no process and no folder."""
    lease = embedded.start(spec_for(Cell(major=major, driver=Driver.ASYNCPG)), key=None, reason="a test")
    folder = Path(lease.server.host).parent
    client = connect(lease.server)
    answer = client.execute("select 1")
    client.close()
    running = processes(str(folder))
    lease.stop()
    lease.stop()

    assert answer == [(1,)]
    assert running
    assert until(lambda: not processes(str(folder)))
    assert not folder.exists()


@pytest.mark.parametrize("major", MAJORS)
def test_a_server_is_what_was_asked_for(running: Callable[[int], Lease], driver: Driver, major: int) -> None:
    """Both drivers find the major, encoding, collation and every setting of the order on each server."""
    cell = Cell(major=major, driver=driver)
    server, spec = replace(running(major).server, cell=cell), spec_for(cell, connections=80)
    client = connect(server)
    facts = identity.measure(client, server, spec.settings, "template1")
    client.close()
    identity.prove(facts, server, wanted=spec.settings, extensions=("vector", "uuid-ossp"))

    build, ours = wheel_build(major), "wheel" in server.reason
    assert build is not None
    assert facts.server_version_num // 10000 == major
    assert not ours or (facts.server_version, facts.pgvector) == (build.version, build.pgvector)
    assert (facts.encoding, facts.collation, facts.superuser) == ("UTF8", "C", True)
    assert differences(spec.settings, facts.settings) == []
    assert facts.settings["fsync"] == "off"
    assert (facts.provider, facts.max_connections) == (ProviderName.EMBEDDED, 93)
    assert facts.own_extensions == (("uuid-ossp",) if ours else ())


def test_it_listens_on_no_network(running: Callable[[int], Lease]) -> None:
    """The server has no TCP listener and its socket folder is closed to other users."""
    server = running(16).server
    client = connect(server)
    listening = client.execute("show listen_addresses")
    client.close()

    assert listening == [("",)]
    assert Path(server.host).stat().st_mode & 0o077 == 0


def test_postgres_never_runs_as_root(running: Callable[[int], Lease]) -> None:
    """The server's process and data belong to an unprivileged account: ourselves, unless we are root."""
    data = Path(running(16).server.host).parent / "data"
    owner = data.stat().st_uid

    assert owner != 0
    assert os.geteuid() in (0, owner)


def test_a_dead_server_is_reported_at_once(embedded: EmbeddedProvider) -> None:
    """A server that cannot start is reported with its exit code and log, long before the timeout."""
    spec = spec_for(CELL, {"shared_preload_libraries": "no_such_library"}, start_timeout=600.0)
    with pytest.raises(ServerStartFailed) as caught:
        embedded.start(spec, key=None, reason="a test")

    text = str(caught.value)
    assert text.startswith("PostgreSQL 16 did not become ready\n  tried embedded server: it ended with exit code 1")
    assert 'could not access file "no_such_library"' in text
    assert text.endswith("do    read its log above; raise start-timeout if the machine is only slow")


def test_a_server_that_never_answers_is_given_up(embedded: EmbeddedProvider) -> None:
    """A server that runs and refuses every connection is ended after the timeout, with the last refusal in the text."""
    spec = spec_for(CELL, {"max_connections": "4", "superuser_reserved_connections": "3"}, start_timeout=0.001)
    with pytest.raises(ServerStartFailed, match=r"not ready within 0\.001 s") as caught:
        embedded.start(spec, key=None, reason="a test")

    assert not processes(str(caught.value.tried))
