"""A pytest plugin: the same ten tests on a database of ours, in a session started as ours are."""

from __future__ import annotations

import os

import pytest

from pgmatrix.databases.database import Database

os.environ["PGMATRIX_CELL"] = os.environ["PERF_SESSION"].rpartition("-")[0]


@pytest.fixture(scope="session")
def url(pg_database: Database) -> str:
    """The migrated database that a worker's tests share."""
    return pg_database.url()
