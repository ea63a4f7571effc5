"""Owns the fixtures a test asks for. Thin: `worker.py` does the work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pgmatrix.databases.database import Database
from pgmatrix.matrix import Cell
from pgmatrix.plugin.worker import USED, worker_of
from pgmatrix.servers.protocol import Server


@pytest.fixture(scope="session")
def pg_server(request: pytest.FixtureRequest) -> Server:
    """The session's server."""
    return worker_of(request.config).server


@pytest.fixture(scope="session")
def pg_cell(pg_server: Server) -> Cell:
    """The PostgreSQL major and the driver under test."""
    return pg_server.cell


@pytest.fixture(scope="session")
def pg_database(request: pytest.FixtureRequest) -> Database:
    """This worker's own migrated database. Leave it as you found it: work in transactions that are rolled back."""
    return worker_of(request.config).shared()


@pytest.fixture
def pg_clone(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database of this test's own; it may commit, use several connections and change the schema."""
    worker = worker_of(request.config)
    database = worker.clone()
    request.node.stash[USED].append(database.name)
    yield database
    worker.give_back(request.node, database)


@pytest.fixture
def pg_empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of this test's own with nothing in it, not even extensions."""
    worker = worker_of(request.config)
    database = worker.empty()
    request.node.stash[USED].append(database.name)
    yield database
    worker.give_back(request.node, database)
