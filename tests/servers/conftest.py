"""What the tests of real servers share. Starts nothing before a test asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.clients import Client, connect
from pgmatrix.matrix import Cell, Driver
from pgmatrix.servers.cache import cache_root
from pgmatrix.servers.container.address import explain, find_engine
from pgmatrix.servers.container.engine import Engine
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import Lease, Server
from tests.servers.ground import DRIVER, MAJORS, Ground, ground, spec_for
from tests.servers.project import write_project


@pytest.fixture(scope="session")
def docker_engine() -> Engine:
    """The container engine of this machine."""
    search = find_engine()
    if search.address is None:
        pytest.fail(f"{explain(search)}; start one (.ci/start-docker) and give it images (.ci/build-images)")
    return Engine(search.address)


@pytest.fixture(scope="session")
def guard() -> Iterator[Guard]:
    """A watchdog for what the tests start."""
    made = Guard()
    yield made
    made.close()


@pytest.fixture(scope="session")
def embedded(guard: Guard) -> EmbeddedProvider:
    """The embedded provider on the default cache."""
    return EmbeddedProvider(cache=cache_root(), guard=guard, extensions=("vector", "uuid-ossp"))


@pytest.fixture(scope="session")
def running(embedded: EmbeddedProvider) -> Iterator[Callable[[int], Lease]]:
    """A running server of a major, the same one for all tests that ask; they share it, so they leave it as it was."""
    leases: dict[int, Lease] = {}

    def start(major: int) -> Lease:
        if major not in leases:
            cell = Cell(major=major, driver=DRIVER)
            leases[major] = embedded.start(spec_for(cell, connections=80), key=None, reason="shared by tests")
        return leases[major]

    yield start
    for lease in leases.values():
        lease.stop()


@pytest.fixture(scope="session")
def server(running: Callable[[int], Lease]) -> Server:
    """The shared PostgreSQL 16."""
    return running(16).server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A connection to the shared PostgreSQL 16."""
    made = connect(server)
    yield made
    made.close()


@pytest.fixture(scope="module", params=(min(MAJORS), max(MAJORS)), ids=lambda major: f"pg{major}")
def query(request: pytest.FixtureRequest, running: Callable[[int], Lease]) -> Iterator[Callable[..., list[Any]]]:
    """Runs one statement (`%s` placeholders) in a database with our `uuid-ossp`; its rows."""
    import psycopg

    admin = connect(running(request.param).server)
    admin.execute("create database uuids template template0 encoding 'UTF8' locale 'C'")
    url = running(request.param).server.url(database="uuids")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('create extension "uuid-ossp"')

        def run(sql: str, *args: object) -> list[Any]:
            cursor = connection.execute(sql, args or None)
            return cursor.fetchall() if cursor.description else []

        yield run
    admin.execute("drop database uuids with (force)")
    admin.close()


@pytest.fixture(name="ground")
def ground_fixture() -> Iterator[Ground]:
    """A ground of this test's own, found empty of leftovers by whoever looks."""
    with ground() as made:
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The smallest project."""
    return write_project(tmp_path)


@pytest.fixture(params=list(Driver), ids=str)
def driver(request: pytest.FixtureRequest) -> Driver:
    """Each driver."""
    return Driver(request.param)
