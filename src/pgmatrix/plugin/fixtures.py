"""Owns the fixtures a test asks for. Thin: `worker.py` does the work.

Imports it when a fixture is asked for, so that a project without the table does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pgmatrix.databases.database import Database
    from pgmatrix.matrix import Cell
    from pgmatrix.plugin.worker import Worker
    from pgmatrix.servers.protocol import Server


@pytest.fixture(scope="session")
def pg_server(request: pytest.FixtureRequest) -> Server:
    """The session's server."""
    return _worker(request).server


@pytest.fixture(scope="session")
def pg_cell(pg_server: Server) -> Cell:
    """The PostgreSQL major and the driver under test."""
    return pg_server.cell


@pytest.fixture(scope="session")
def pg_database(request: pytest.FixtureRequest) -> Database:
    """This worker's own migrated database. Leave it as you found it: work in transactions that are rolled back."""
    return _worker(request).shared()


@pytest.fixture
def pg_clone(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database of this test's own; it may commit, use several connections and change the schema."""
    worker = _worker(request)
    database = worker.clone()
    worker.lend(request.node, database)
    yield database
    worker.give_back(request.node, database)


@pytest.fixture
def pg_empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of this test's own with nothing in it, not even extensions."""
    worker = _worker(request)
    database = worker.empty()
    worker.lend(request.node, database)
    yield database
    worker.give_back(request.node, database)


@pytest.fixture
def pg_plans(request: pytest.FixtureRequest) -> Callable[[str, Any], str]:
    """Notes a plan in the session's record, so that `compare` can say where another is chosen: `pg_plans(name,
    explained)` takes what EXPLAIN (FORMAT JSON) returned and gives the plan's shape, one line for each node."""
    from pgmatrix.plans import shape
    from pgmatrix.plugin.outcomes import PLAN

    def note(name: str, explained: Any) -> str:
        found = shape(explained)
        # Not through pytest's record_property: it warns wherever JUnit XML is written in pytest's own default family.
        request.node.user_properties.append((f"{PLAN}{name}", found))
        return found

    return note


def _worker(request: pytest.FixtureRequest) -> Worker:
    from pgmatrix.plugin.worker import worker_of

    return worker_of(request.config)
