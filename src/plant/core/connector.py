"""The way in for an application: writes to the primary, reads to the read engine, health and metrics of both.

It decides where a session goes and nothing else; without `read_url` both engines use the primary, each with
its pool.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.config import Isolation, Settings
from plant.core.database import Database
from plant.core.errors import PlantError
from plant.core.pool import PoolMetrics

FACTS = text("""
SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS replica,
       CASE WHEN NOT pg_is_in_recovery() THEN NULL
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0.0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8 AS lag,
       coalesce(to_regclass('plant.alembic_version')::text, '') AS versions,
       (SELECT json_object_agg(extname, extversion) FROM pg_extension) AS extensions
""")
Entity = TypeVar("Entity", bound=Hashable)
REVISION = text("SELECT max(version_num) FROM plant.alembic_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One server: whether it answers, what it runs, which revision it has. `replica_lag` in seconds, None
    on a primary.
    """

    reachable: bool
    problem: str | None = None
    server_version: str | None = None
    revision: str | None = None
    extensions: dict[str, str] = field(default_factory=dict)
    is_replica: bool | None = None
    replica_lag: float | None = None

    @property
    def migrated(self) -> bool:
        """Whether any migration has been applied; compare `revision` with the expected one."""
        return self.revision is not None


class Connector:
    """Primary and read Database under one roof; open it once per process and close it at the end."""

    def __init__(self, settings: Settings) -> None:
        self.primary = Database(settings)
        self.reader = Database(settings, read=True)

    def write(
        self, agent: str | None = None, *, isolation: Isolation | None = None
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """A session on the primary; see Database.session."""
        return self.primary.session(agent, isolation=isolation)

    def read(
        self, agent: str | None = None, *, isolation: Isolation | None = None, deferrable: bool = False
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """A read-only session on the read engine: a write in it raises ReadOnlyTransaction."""
        return self.reader.session(agent, isolation=isolation, read_only=True, deferrable=deferrable)

    async def get(self, entity: type[Entity], identifier: object, *, agent: str | None = None) -> Entity | None:
        """One entity by id from the read engine; see Database.get."""
        return await self.reader.get(entity, identifier, agent=agent, read_only=True)

    def metrics(self) -> dict[str, PoolMetrics]:
        """The pools' figures of this moment, under `primary` and `read`."""
        return {"primary": self.primary.metrics(), "read": self.reader.metrics()}

    async def health(self) -> dict[str, Health]:
        """Both servers' health, under `primary` and `read`; an unreachable one is reported, never raised."""
        return {"primary": await _health(self.primary), "read": await _health(self.reader)}

    async def close(self) -> None:
        """Close both engines' idle connections, the read engine's first."""
        try:
            await self.reader.close()
        finally:
            await self.primary.close()


async def _health(database: Database) -> Health:
    try:
        async with database.session() as session:
            facts = (await session.execute(FACTS)).one()
            revision = (await session.execute(REVISION)).scalar() if facts.versions else None
    except PlantError as error:
        return Health(reachable=False, problem=str(error))
    return Health(
        reachable=True,
        server_version=facts.version,
        revision=revision,
        extensions=dict(facts.extensions),
        is_replica=facts.replica,
        replica_lag=facts.lag,
    )
