"""Alembic's entry: the same preamble and the same migrations online, offline, from `plant migrate` and from `alembic`.

The advisory lock is taken before the current revision is read, so that a second migrator reads what the first left.
"""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection

from plant.core.config import Settings
from plant.core.database import create_engine
from plant.database.migrate import LOCK_WAIT, options, preamble


def run(**target: Any) -> None:
    """In one transaction, after the preamble; at base the version table goes too."""
    wait = context.config.attributes.get("lock_wait", LOCK_WAIT)
    context.configure(**target, **options())
    with context.begin_transaction():
        for statement in preamble(wait):
            context.execute(statement)
        context.run_migrations()
        at = context.get_revision_argument() if context.is_offline_mode() else context.get_context().get_current_heads()
        if not at:
            context.execute("DROP TABLE IF EXISTS plant.alembic_version")


async def connect_and_run() -> None:
    """For the `alembic` command: the URL is the setting PLANT_URL, or `-x url=...`."""
    given = context.get_x_argument(as_dictionary=True)
    engine = create_engine(Settings(**given, application_name="plant-migrate"))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: run(connection=sync))
    finally:
        await engine.dispose()


connection: Connection | None = context.config.attributes.get("connection")
if context.is_offline_mode():
    run(dialect_name="postgresql", literal_binds=True)
elif connection is not None:
    run(connection=connection)
else:
    asyncio.run(connect_and_run())
