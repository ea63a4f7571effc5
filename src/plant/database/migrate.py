"""Migrations, up and down, online and as SQL: one transaction under an advisory lock, as the owner role.

A second migrator waits for the first, up to a bound, and then finds nothing left to do. It creates no role, extension
or schema: bootstrap does.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import StringIO
from typing import Any, Final, TextIO

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Column, Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from plant.core.config import Settings
from plant.core.database import create_engine
from plant.core.errors import ConfigurationError
from plant.models import Base
from plant.models.metadata import SCHEMA
from plant.security.roles import OWNER

LOCK_WAIT: Final = 60.0
TURN: Final = threading.Lock()
READY: Final = f"""
SELECT to_regrole('{OWNER}') IS NOT NULL
   AND EXISTS (SELECT FROM pg_namespace WHERE nspname = '{SCHEMA}' AND pg_get_userbyid(nspowner) = '{OWNER}')
   AND EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')
"""
# Reading needs the owner's eyes too, where the role may have them; the application may read the revision as itself.
AS_OWNER: Final = f"SELECT set_config('role', '{OWNER}', true) WHERE pg_has_role('{OWNER}', 'MEMBER')"


async def upgrade(url: str, revision: str = "head", *, lock_wait: float = LOCK_WAIT) -> None:
    """Bring the database at `url` up to `revision`; waits at most `lock_wait` seconds for any lock.

    Raises ConfigurationError where bootstrap has not run, LockTimeout, or what the server refused; then nothing has
    changed.
    """
    await _run(url, lambda config: command.upgrade(config, revision), lock_wait)


async def downgrade(url: str, revision: str, *, lock_wait: float = LOCK_WAIT) -> None:
    """Take the database down to `revision`; `base` leaves no object of plant's. Errors as in `upgrade`."""
    await _run(url, lambda config: command.downgrade(config, revision), lock_wait)


async def current(url: str) -> str | None:
    """The revision the database is at, None for an empty one."""
    async with _connection(url) as connection:
        await connection.execute(text(AS_OWNER))
        return await connection.run_sync(lambda sync: _context(sync).get_current_revision())


async def drift(url: str) -> list[Any]:
    """What Alembic's autogenerate would change to make the database equal the models; empty where they agree."""
    async with _connection(url) as connection:
        await connection.execute(text(AS_OWNER))
        return await connection.run_sync(lambda sync: compare_metadata(_context(sync), Base.metadata))


def sql(revision: str = "head", *, down: bool = False) -> str:
    """The SQL script of the same migration for `psql`; a range is written `001:003`, downwards `005:base`."""
    config = _config(buffer := StringIO())
    with _revisions_named():
        (command.downgrade if down else command.upgrade)(config, revision, sql=True)
    return buffer.getvalue()


def upgrade_sync(url: str, revision: str = "head", *, lock_wait: float = LOCK_WAIT) -> None:
    """`upgrade` for callers without an event loop."""
    asyncio.run(upgrade(url, revision, lock_wait=lock_wait))


def downgrade_sync(url: str, revision: str, *, lock_wait: float = LOCK_WAIT) -> None:
    """`downgrade` for callers without an event loop."""
    asyncio.run(downgrade(url, revision, lock_wait=lock_wait))


def options() -> dict[str, Any]:
    """How Alembic is to compare and where it keeps its version; for env.py and for tests of drift."""
    return {
        "target_metadata": Base.metadata,
        "version_table_schema": SCHEMA,
        "include_schemas": True,
        "include_name": only_ours,
        "compare_type": True,
        "compare_server_default": default_differs,
    }


def preamble(lock_wait: float) -> tuple[str, ...]:
    """What a migrating transaction begins with: bound every wait, take the lock, become the owner."""
    return (
        f"SET LOCAL lock_timeout = {round(lock_wait * 1000)}",
        "SELECT pg_advisory_xact_lock(hashtextextended('plant.migrate', 0))",
        f"SET LOCAL ROLE {OWNER}",
    )


def only_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Other schemas are none of plant's business."""
    return kind != "schema" or name == SCHEMA


def default_differs(
    _context: Any,
    _found: Column[Any],
    _wanted: Column[Any],
    found_default: str | None,
    _wanted_default: Any,
    wanted_default: str | None,
) -> bool:
    """Defaults are compared as text without casts: evaluating them would find every random uuid different."""
    return _plain(found_default) != _plain(wanted_default)


def _plain(default: str | None) -> str | None:
    return default and default.partition("::")[0].strip("'")


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts=options())


def _config(output: TextIO = sys.stdout) -> Config:
    config = Config(output_buffer=output)
    config.set_main_option("script_location", "plant:database/migrations")
    return config


@contextmanager
def _revisions_named() -> Iterator[None]:
    """Alembic's own refusals are about the revision that was asked for."""
    try:
        yield
    except CommandError as error:
        raise ConfigurationError(
            f"{error}: name one of 001 to 005, head or base, or a range of them.", field="revision"
        ) from error


async def _run(url: str, action: Callable[[Config], None], lock_wait: float) -> None:
    def migrate(connection: Connection) -> None:
        config = _config()
        config.attributes.update(connection=connection, lock_wait=lock_wait)
        with _revisions_named():
            action(config)

    async with _connection(url) as connection:
        if not await connection.scalar(text(READY)):
            raise ConfigurationError(
                "the database has no schema plant with its owner role and extensions: "
                "run `python -m plant bootstrap` on it once, as superuser.",
                field="url",
            )
        for statement in preamble(lock_wait):
            await connection.execute(text(statement))
        async with _turn():
            await connection.run_sync(migrate)


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """Alembic keeps its context in the module: one migration at a time in a process, whatever the loop or thread."""
    # No asyncio primitive spans loops and threads.
    while not TURN.acquire(blocking=False):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        TURN.release()


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[AsyncConnection]:
    """One connection in one transaction, committed at the end; nothing of `PLANT_READ_URL` or pools matters here."""
    engine = create_engine(Settings(url=url, read_url=None, application_name="plant-migrate", pool_size=1))
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()
