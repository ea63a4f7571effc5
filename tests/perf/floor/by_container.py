"""A pytest plugin, by hand as the guide says: testcontainers, one container a session, plant's migrations in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from testcontainers.postgres import PostgresContainer

from plant.database.bootstrap import bootstrap
from plant.database.migrate import upgrade

IMAGES = json.loads(os.environ["PERF_IMAGES"])
MAJOR, DRIVER = os.environ["PERF_SESSION"].removeprefix("pg").split("-")[:2]


@pytest.fixture(scope="session")
def container() -> Iterator[PostgresContainer]:
    """A PostgreSQL of the session's own, as testcontainers starts and awaits it by default."""
    made = PostgresContainer(IMAGES[MAJOR], driver=DRIVER).with_kwargs(labels={os.environ["PERF_LABEL"]: "1"})
    with made as started:
        yield started


@pytest.fixture(scope="session")
async def url(container: PostgresContainer) -> str:
    """The migrated database in it."""
    found: str = container.get_connection_url()
    await bootstrap(found)
    await upgrade(found)
    return found
