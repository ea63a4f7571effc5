"""A pytest plugin, written by hand: the shortest way to each test's database, on a server that is there already.

Nothing is started, checked, kept in stock, noted or removed: no toolkit can be faster than this by much.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator

import pytest

from pgmatrix.clients import Client, connect
from pgmatrix.databases.build import server_from
from pgmatrix.databases.database import Database
from pgmatrix.matrix import Cell
from pgmatrix.plugin.fixtures import pg_plans as pg_plans  # what a test says of its plans costs both the same
from pgmatrix.servers.protocol import Server

ORDER = json.loads(os.environ["PERF_DATABASES"])
SERVER = server_from(ORDER["server"])
NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def by_hand() -> Iterator[Client]:
    """One connection that makes databases."""
    client = connect(SERVER)
    yield client
    client.close()


@pytest.fixture(scope="session")
def pg_server() -> Server:
    """The server that is there."""
    return SERVER


@pytest.fixture(scope="session")
def pg_cell() -> Cell:
    """Its cell."""
    return SERVER.cell


@pytest.fixture(scope="session")
def pg_database(by_hand: Client) -> Database:
    """A migrated database for all of this worker's tests."""
    return _made(by_hand, ORDER["template"])


@pytest.fixture
def pg_clone(by_hand: Client) -> Database:
    """A migrated database for one test."""
    return _made(by_hand, ORDER["template"])


@pytest.fixture
def pg_empty(by_hand: Client) -> Database:
    """An empty one."""
    return _made(by_hand, "template0")


def _made(client: Client, template: str) -> Database:
    name = f"hand_{os.getpid()}_{next(NUMBERS)}"
    client.execute(f'create database "{name}" template "{template}" strategy file_copy')
    return Database(name=name, server=SERVER)
