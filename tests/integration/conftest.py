"""The fixtures of the integration tests; a table of contents."""

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

__all__ = [
    "async_engine",
    "async_session",
    "connector",
    "create_test_agent",
    "create_test_industry",
    "create_test_job_role",
    "create_test_skill",
    "plant_db",
    "postgres_container",
    "settings_for",
    "superuser",
    "test_db_url",
]
