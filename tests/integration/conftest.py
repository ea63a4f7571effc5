"""The fixtures of the integration tests; a table of contents."""

from tests.fixtures.bare import bare
from tests.fixtures.databases import (
    async_engine,
    async_session,
    connector,
    plant_db,
    postgres_container,
    settings_for,
    superuser,
    test_db_url,
)
from tests.fixtures.factories import (
    create_test_agent,
    create_test_industry,
    create_test_job_role,
    create_test_skill,
)
from tests.fixtures.ledger import ledger
from tests.fixtures.locks import observer
from tests.fixtures.pools import connector_with, database_with

__all__ = [
    "async_engine",
    "async_session",
    "bare",
    "connector",
    "connector_with",
    "create_test_agent",
    "create_test_industry",
    "create_test_job_role",
    "create_test_skill",
    "database_with",
    "ledger",
    "observer",
    "plant_db",
    "postgres_container",
    "settings_for",
    "superuser",
    "test_db_url",
]
